"""Arguments of the CRM tools, the same for every CRM: a contact by number, a lead, a task, a call that is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from services.nlu.tools.arguments import ArgumentsModel, by_model, schema_of
from services.nlu.tools.crm.phones import digits_of
from services.nlu.tools.package import Asked, Operation

Work = Callable[[Mapping[str, Any], Asked], Awaitable[object]]

_FEWEST_DIGITS, _MOST_DIGITS = 5, 15  # of a telephone number (E.164 has 15 at most)


def _number(text: str) -> str:
    if not _FEWEST_DIGITS <= len(digits_of(text)) <= _MOST_DIGITS:
        raise ValueError("is no telephone number")
    return ("+" if text.startswith("+") else "") + digits_of(text)


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("needs its zone, as in 2026-12-01T10:00:00+07:00")
    return moment


Phone = Annotated[str, AfterValidator(_number), Field(description="Telephone number, with + where international.")]
Moment = Annotated[datetime, AfterValidator(_with_zone), Field(description="ISO 8601 with zone.")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def contact(contact_id: object, name: object, phone: object, email: object) -> dict[str, Any]:
    """A contact as every CRM's tool tells of it."""
    return dict(id=contact_id, name=name, phone=phone, email=email)


class FindContact(ArgumentsModel):
    """Arguments of find_contact."""

    phone: Phone


class CreateLead(ArgumentsModel):
    """Arguments of create_lead."""

    last_name: str = Field(min_length=1, max_length=80, description="Family name, or the only one.")
    first_name: str = Field("", max_length=40)
    phone: Phone
    email: str = Field("", max_length=80, pattern=r"^([^@\s]+@[^@\s]+)?$")
    company: str = Field("", max_length=100)
    note: str = Field("", max_length=2000, description="What the caller wants.")


class CreateTask(ArgumentsModel):
    """Arguments of create_task."""

    subject: str = Field(min_length=1, max_length=200)
    due: date | None = Field(None, description="Day it is due, ISO 8601.")
    note: str = Field("", max_length=2000)
    contact_id: Id | None = Field(None, description="From find_contact.")


class LogCall(ArgumentsModel):
    """Arguments of note_conversation."""

    phone: Phone
    subject: str = Field(min_length=1, max_length=200)
    summary: str = Field("", max_length=4000)
    started: Moment
    duration_s: int = Field(0, ge=0, le=86400)
    contact_id: Id | None = Field(None, description="From find_contact.")


def crm_operations(
    *,
    find_contact: Work,
    create_lead: Work,
    create_task: Work,
    log_call: Work,
    repeatable: frozenset[str],
    timeout_s: float,
) -> tuple[Operation, ...]:
    """The four of every CRM; `repeatable` are the writing ones that know a key again."""

    def made(name: str, description: str, model: type[ArgumentsModel], run: Work, *, writes: bool) -> Operation:
        return Operation(
            name,
            description,
            schema_of(model),
            by_model(model),
            run,
            writes=writes,
            is_repeatable=name in repeatable,
            timeout_s=timeout_s,
        )

    return (
        made("find_contact", "Contacts of the CRM by telephone number.", FindContact, find_contact, writes=False),
        made("create_lead", "Creates a lead for a new customer.", CreateLead, create_lead, writes=True),
        made("create_task", "Creates a task for staff.", CreateTask, create_task, writes=True),
        made("note_conversation", "Notes a call with its summary.", LogCall, log_call, writes=True),
    )
