"""The tools of a practice's diary: free times, and the deeds that give, move and take back an appointment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from services.nlu.agent.facts import Facts
from services.nlu.agent.tools import ToolRefused
from services.nlu.engine import ToolSpec
from services.nlu.tools.clinic.diary import NOT_GIVEN, Appointment, Diary
from services.nlu.tools.clinic.whose import dialled, forms_of, is_same_name
from services.nlu.tools.sqlite_thread import Worker

AHEAD = timedelta(weeks=4)  # how far appointments are given
_TIMEOUT_S = 3.0
_FEWEST_DIGITS, _MOST_DIGITS = 3, 15  # of a telephone number
_MOST_FREE = 12  # told at once


def _number(text: str) -> str:
    if not _FEWEST_DIGITS <= len(dialled(text).lstrip("+")) <= _MOST_DIGITS:
        raise ValueError("is no telephone number")
    return dialled(text)


def _clock_time(moment: datetime) -> datetime:
    if moment.tzinfo is not None:
        raise ValueError("is by the clinic's own clock: leave the zone out")
    return moment


Phone = Annotated[str, AfterValidator(_number)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Moment = Annotated[datetime, AfterValidator(_clock_time)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FreeArguments(_Arguments):
    """The arguments of a tool that takes none."""


class FindArguments(_Arguments):
    name: Name
    phone: Phone


class BookArguments(_Arguments):
    starts: Moment
    name: Name
    phone: Phone
    service: str = Field("", max_length=64)


class MoveArguments(_Arguments):
    starts: Moment
    new_starts: Moment
    name: Name
    phone: Phone


class CancelArguments(_Arguments):
    starts: Moment
    name: Name
    phone: Phone


Model = TypeVar("Model", bound=_Arguments)


def _spec(name: str, description: str, arguments: type[_Arguments]) -> ToolSpec:
    return ToolSpec(name, description, json.dumps(arguments.model_json_schema()))


class Times:
    """The times that a practice gives: those of the agent's file by weekday and date, in its opening hours."""

    def __init__(self, facts: Facts, clock: Callable[[], datetime]) -> None:
        """`clock` gives the time by the practice's zone."""
        self._facts, self._clock = facts, clock

    def now(self) -> datetime:
        return self._clock().replace(tzinfo=None)

    def all(self) -> list[datetime]:
        """Return the times of appointments from now until the last that is given."""
        now = self.now()
        found = {moment for day in _days(now.date()) for moment in self._on(day) if now < moment <= now + AHEAD}
        return sorted(found)

    def check(self, starts: datetime) -> None:
        """Raises ToolRefused where no appointment can begin then."""
        if starts not in self.all():
            raise ToolRefused(f"{NOT_GIVEN} at {starts:%Y-%m-%d %H:%M}")

    def _on(self, day: date) -> Iterator[datetime]:
        hours = self._facts.hours
        for free in self._facts.free_times:
            moment = datetime.combine(day, free.time)
            fits = free.date == day if free.date else free.weekday == day.weekday()
            if fits and (hours is None or hours.is_open(moment)):
                yield moment


class _Clinic:
    """The shared part of the tools."""

    timeout_s = _TIMEOUT_S

    def __init__(self, diary: Diary, worker: Worker, times: Times, region: str = "") -> None:
        """`region`: whose telephone numbers callers give, ISO 3166-1."""
        self._diary, self._worker, self._times, self._region = diary, worker, times, region


class FreeTimes(_Clinic):
    """Looks free times up; nothing is changed."""

    spec = _spec("clinic_free_times", "The next free times for an appointment.", FreeArguments)

    async def free(self, tenant_id: str) -> list[datetime]:
        """Raises NotReached."""
        taken = await self._worker.run(lambda: self._diary.taken(tenant_id, after=self._times.now()))
        return [moment for moment in self._times.all() if moment not in taken]

    async def look_up(self, arguments: Mapping[str, object], *, tenant_id: str) -> str:
        read_arguments(FreeArguments, arguments)
        free = await self.free(tenant_id)
        return json.dumps({"free": [f"{moment:%Y-%m-%dT%H:%M}" for moment in free[:_MOST_FREE]]})


class Find(_Clinic):
    """Looks up what stands for a name and a telephone number; nothing is changed."""

    spec = _spec("clinic_find", "The appointments of a caller, by the name and number they give.", FindArguments)

    async def standing(self, tenant_id: str, phone: str) -> list[Appointment]:
        """Return the coming appointments of a number, under any name. Raises NotReached."""
        forms, now = forms_of(phone, self._region), self._times.now()
        found = await self._worker.run(lambda: self._diary.find(tenant_id, forms))
        return [one for one in found if one.starts > now]

    async def look_up(self, arguments: Mapping[str, object], *, tenant_id: str) -> str:
        wanted = read_arguments(FindArguments, arguments)
        found = [one for one in await self.standing(tenant_id, wanted.phone) if is_same_name(wanted.name, one.name)]
        told = [{"starts": f"{one.starts:%Y-%m-%dT%H:%M}", "service": one.service, "name": one.name} for one in found]
        return json.dumps({"appointments": told}, ensure_ascii=False)


class Book(_Clinic):
    """Gives a free time to a caller."""

    spec = _spec("clinic_book", "Books a free time for a caller.", BookArguments)

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        wanted = read_arguments(BookArguments, arguments)

        def book() -> str:
            return self._diary.book(
                tenant_id,
                wanted.starts,
                service=wanted.service,
                name=wanted.name,
                phone=wanted.phone,
                key=key,
                check=self._times.check,
            )

        return await self._worker.run(book)


class Move(_Clinic):
    """Gives a caller another free time for theirs."""

    spec = _spec("clinic_move", "Moves a caller's appointment to another free time.", MoveArguments)

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        wanted = read_arguments(MoveArguments, arguments)

        def move() -> str:
            return self._diary.move(
                tenant_id,
                wanted.starts,
                wanted.new_starts,
                name=wanted.name,
                phones=forms_of(wanted.phone, self._region),
                key=key,
                check=self._times.check,
            )

        return await self._worker.run(move)


class Cancel(_Clinic):
    """Takes a caller's appointment back."""

    spec = _spec("clinic_cancel", "Cancels a caller's appointment.", CancelArguments)

    async def do(self, arguments: Mapping[str, object], *, tenant_id: str, key: str) -> str:
        wanted = read_arguments(CancelArguments, arguments)
        phones = forms_of(wanted.phone, self._region)
        return await self._worker.run(
            lambda: self._diary.cancel(tenant_id, wanted.starts, name=wanted.name, phones=phones, key=key)
        )


def read_arguments(model: type[Model], arguments: Mapping[str, object]) -> Model:
    """Raises ToolRefused with the names of the fields that are wrong, and why."""
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ToolRefused(wrong) from error


def _days(first: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(AHEAD.days + 1))
