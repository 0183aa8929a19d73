"""The package `hotel`: rooms that are free, and the deeds that book one and cancel it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from services.nlu.tools.arguments import ArgumentsModel, by_model, schema_of
from services.nlu.tools.clinic.whose import dialled, forms_of, is_same_name
from services.nlu.tools.hotel.register import LONGEST_NIGHTS, Register
from services.nlu.tools.package import Asked, NoOptions, Operation, PackageContext, Run
from services.nlu.tools.secrets import SecretFields
from services.nlu.tools.sqlite_thread import SqliteThread
from services.runtime.errors import StartupError

PACKAGE = "hotel"
_FEWEST_DIGITS, _MOST_DIGITS = 3, 15  # of a telephone number


def _number(text: str) -> str:
    if not _FEWEST_DIGITS <= len(dialled(text).lstrip("+")) <= _MOST_DIGITS:
        raise ValueError("is no telephone number")
    return dialled(text)


Phone = Annotated[str, AfterValidator(_number)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Nights = Annotated[int, Field(ge=1, le=LONGEST_NIGHTS)]


class FreeRooms(ArgumentsModel):
    arrives: date
    nights: Nights


class FindBookings(ArgumentsModel):
    name: Name
    phone: Phone


class BookRoom(ArgumentsModel):
    room: str = Field(min_length=1, max_length=64)
    arrives: date
    nights: Nights
    name: Name
    phone: Phone


class CancelBooking(ArgumentsModel):
    arrives: date
    room: str = Field(default="", max_length=64)  # needed where several kinds stand for the caller from that day on
    name: Name
    phone: Phone


def path_of(data_dir: Path, agent_id: str) -> Path:
    """Return where the stays of one agent's tenants lie."""
    return data_dir / agent_id / "rooms.sqlite"


class HotelPackage:
    """One agent's. Without NLU_DATA_DIR it has no operations: nothing can be booked."""

    class Options(NoOptions):
        """The number of rooms of each kind, by ids of `facts.services`."""

        rooms: dict[str, Annotated[int, Field(ge=1, le=10_000)]] = Field(min_length=1)

    Secrets: ClassVar[type[SecretFields] | None] = None

    def __init__(
        self, options: Options, context: PackageContext, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        """`clock` gives the time in the house's zone."""
        zone = ZoneInfo(context.timezone)
        self._options, self._context = options, context
        self._clock = clock or (lambda: datetime.now(zone))
        self._operations: tuple[Operation, ...] = ()

    async def open(self) -> None:
        if self._context.data_dir is None:
            return
        path = path_of(self._context.data_dir, self._context.agent_id)
        try:
            self._register = Register(path, self._options.rooms)
        except Exception as error:
            raise StartupError(
                f"agent {self._context.agent_id}: tools: hotel: {path} cannot be used: {error}"
            ) from error
        self._worker = SqliteThread(f"rooms-{self._context.agent_id}")
        self._operations = (
            self._made("free_rooms", "How many rooms are free for a stay, by their kind.", FreeRooms, self._free),
            self._made("find", "The bookings of a caller, by the name and number they give.", FindBookings, self._find),
            self._made("book", "Books a room for a caller.", BookRoom, self._book, writes=True),
            self._made("cancel", "Cancels one booking of a caller.", CancelBooking, self._cancel, writes=True),
        )

    async def close(self) -> None:
        """The file is closed with the process: a deed may still be on its thread."""

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def _made(
        self, name: str, description: str, model: type[ArgumentsModel], run: Run, *, writes: bool = False
    ) -> Operation:
        # The register knows a key again, so a deed may be tried as often as it needs.
        order = "phone" if writes else ""  # a cancellation waits for the booking that it is of
        check = by_model(model)
        return Operation(name, description, schema_of(model), check, run, writes, timeout_s=3.0, in_order_by=order)

    async def _free(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        arrives, nights = arguments["arrives"], arguments["nights"]
        free = await self._worker.run(lambda: self._register.free(asked.tenant_id, arrives, nights))
        return {"arrives": arrives.isoformat(), "nights": nights, "free": free}

    async def _find(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        forms, today = forms_of(arguments["phone"], self._context.region), self._clock().date()
        found = await self._worker.run(lambda: self._register.find(asked.tenant_id, forms, since=today))
        theirs = [one for one in found if is_same_name(arguments["name"], one.name)]
        return {
            "bookings": [{"room": one.room, "arrives": one.arrives.isoformat(), "nights": one.nights} for one in theirs]
        }

    async def _book(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        today = self._clock().date()
        return await self._worker.run(
            lambda: self._register.book(
                asked.tenant_id,
                arguments["room"],
                arguments["arrives"],
                arguments["nights"],
                name=arguments["name"],
                phone=arguments["phone"],
                key=asked.key,
                today=today,
            )
        )

    async def _cancel(self, arguments: Mapping[str, Any], asked: Asked) -> object:
        phones = forms_of(arguments["phone"], self._context.region)
        return await self._worker.run(
            lambda: self._register.cancel(
                asked.tenant_id,
                arguments["arrives"],
                name=arguments["name"],
                phones=phones,
                key=asked.key,
                room=arguments["room"],
            )
        )
