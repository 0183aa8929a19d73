"""Proof of a deed in a tool's result: its well-known fields, in whatever system's spelling. Sans-IO.

A result is read to a bounded depth and size. One field that says otherwise outweighs all others, and so does one that
cannot be read: a deed is told as done only where its result says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from services.language.outcome_words import outcomes
from services.language.words import without_marks
from services.runtime.json_text import read_json

_DEEPEST = 6
_MOST_FIELDS = 400
_MOST_CHARS = 2000  # of one text


class Proof(StrEnum):
    """Proof of a deed in a result, or in one of its fields."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # it does not say, or says that the deed is not done yet


def _words(*words: str) -> frozenset[str]:
    return frozenset(without_marks(word) for word in words)


_STATUS = _words("status", "state", "outcome", "result")
_STATUS_ENDS = ("status", "outcome")
_CODES = _words("code", "httpcode", "responsecode", "resultcode", "returncode", "statuscode", "httpstatuscode")
_ERRORS = ("error", "fault", "exception", "failure", "failed", "rejected", "denied", "invalid")
_WHETHER = _words(
    *("ok", "okay", "success", "successful", "succeeded", "done", "booked", "created", "confirmed", "completed"),
    *("updated", "saved", "scheduled", "reserved", "sent", "delivered", "moved", "rescheduled", "freed", "released"),
    *("added", "registered", "approved", "inserted", "stored", "affected", "rowsaffected", "affectedrows"),
    *("modified", "rows", "rowcount"),
)
_MUST_HOLD = _words("valid", "accepted", "submitted", "received")  # no proof of the deed, yet none is done without
_UNDONE = _words("cancelled", "canceled", "deleted", "removed", "revoked", "voided")
_YET_TO_COME = _words("pending", "queued", "waiting", "waitlisted", "processing", "expired", "draft", "tentative")
_MESSAGES = _words("message", "messages", "msg", "detail", "details", "reason", "title", "text", "info", "html")
_ADDRESS = _words("city", "street", "zip", "postalcode", "postcode", "country")  # beside them `state` is a place
_IDENTIFIERS = ("reference", "confirmation", "confirmationcode", "confirmationnumber", "referencenumber")
_OTHERS_IDS = ("customer", "client", "user", "caller", "tenant", "service", "contact", "patient", "guest", "resource")
_REQUEST_IDS = ("request", "trace", "correlation", "session", "span")

_UNDOING = ("cancel", "delete", "remove", "revoke", "release", "unbook", "void", "huy", "xoa")  # in a tool's name

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CONTRACTED = re.compile("n['’]t\\b")
_WORD = re.compile(r"[^\W\d_]+")
_SEPARATORS = re.compile(r"[\W_]+")
_AUXILIARY = re.compile(r"^(is|was|has|been)(?=.{4})")


def proof_in(value: object, *, tool: str = "", is_answered: bool = False) -> Proof:
    """Return what a result says of the deed of a tool, whose name tells whether "cancelled" is its success.

    `is_answered`: the tool's system took the request for good (HTTP 2xx, no error of MCP), so that an object of which
    nothing says otherwise is proof; else a field must say that it is done.
    """
    if not isinstance(value, Mapping) or not value:
        return Proof.UNKNOWN
    walk = _ResultWalk(undoes=any(word in without_marks(tool.casefold()) for word in _UNDOING))
    found = set(walk.of_object(value, 0))
    for weightiest in (Proof.REFUSED, Proof.UNKNOWN, Proof.DONE):
        if weightiest in found:
            return weightiest
    return Proof.DONE if is_answered and walk.has_content else Proof.UNKNOWN


class _ResultWalk:
    """One walk over a result."""

    def __init__(self, *, undoes: bool) -> None:
        self.has_content = False  # it has a value beside its messages
        self._undoes, self._n_fields = undoes, 0

    def of_object(self, fields: Mapping[object, object], depth: int) -> Iterator[Proof]:
        names = (
            {field_name(str(key)[:100]): value for key, value in fields.items()} if len(fields) <= _MOST_FIELDS else {}
        )
        self._n_fields += len(fields)
        if depth > _DEEPEST or self._n_fields > _MOST_FIELDS:
            yield Proof.UNKNOWN
            return
        for name, value in names.items():
            if name == "state" and _ADDRESS & names.keys():
                continue
            yield from self._of_field(name, value, depth)

    def _of_field(self, name: str, value: object, depth: int) -> Iterator[Proof]:
        bare = _AUXILIARY.sub("", name)
        if name in _STATUS or name.endswith(_STATUS_ENDS):
            yield from self._of_status(value, depth, is_result=name == "result")
            return
        if name in _MESSAGES:
            yield from self._of_message(value, depth)
        elif any(part in name for part in _ERRORS) and "default" not in name:
            yield from () if _is_empty(value) else (Proof.REFUSED,)
        elif name.startswith(("requires", "needs")) or name.endswith("required") or bare in _YET_TO_COME:
            yield from () if _is_empty(value) else (Proof.UNKNOWN,)
        elif bare in _UNDONE and not self._undoes:
            yield from () if _is_empty(value) else (Proof.REFUSED,)
        elif bare in _WHETHER or bare in _UNDONE:
            yield _of_flag(value)
        elif bare in _MUST_HOLD:
            yield from (Proof.REFUSED,) if _is_empty(value) else ()
        elif name in _CODES or name.endswith("statuscode"):
            yield from _of_code(value)
        elif is_identifier(name) and not isinstance(value, bool):
            yield from (Proof.DONE,) if value else (Proof.UNKNOWN,) if name == "id" else ()
        elif not isinstance(value, Mapping | list) and not name.startswith(_REQUEST_IDS):
            self.has_content = self.has_content or not _is_empty(value)
        yield from self._inside(value, depth)

    def _inside(self, value: object, depth: int) -> Iterator[Proof]:
        if isinstance(value, Mapping):
            yield from self.of_object(value, depth + 1)
        elif isinstance(value, list):
            self._n_fields += len(value)
            if self._n_fields > _MOST_FIELDS or depth >= _DEEPEST:
                yield Proof.UNKNOWN
                return
            for each in value:
                yield from self._inside(each, depth + 1)

    def _of_status(self, value: object, depth: int, *, is_result: bool) -> Iterator[Proof]:
        match value:
            case bool():
                yield Proof.DONE if value else Proof.REFUSED
            case int() | float():
                yield Proof.UNKNOWN if is_result and value else _of_number(value)
            case str():
                yield Proof.UNKNOWN if value.strip().isdecimal() and is_result else self._of_words(value)
            case Mapping() if value:
                yield from self.of_object(value, depth + 1)
            case list() if value and all(isinstance(each, Mapping) for each in value):
                for each in value:
                    yield from self._of_status(each, depth + 1, is_result=is_result)
            case _:
                yield Proof.UNKNOWN

    def _of_words(self, text: str) -> Proof:
        """Read a text that should name an outcome: a word that is not known proves nothing."""
        if text.strip().isdecimal() and len(text.strip()) < 6:
            return _of_number(int(text))
        return self._said(text) or Proof.UNKNOWN

    def _of_message(self, value: object, depth: int) -> Iterator[Proof]:
        """Read words for people, or the JSON in them, as servers of MCP write it. Words that might say otherwise make
        the deed unknown: they may speak of another thing.
        """
        for text in value if isinstance(value, list) else (value,):
            if not isinstance(text, str):
                continue
            if text.lstrip()[:1] == "<":
                yield Proof.UNKNOWN  # a page for people
            elif text.lstrip()[:1] in {"{", "["}:
                yield from self._of_json(text, depth)
            elif said := self._said(text):
                yield said if said is Proof.DONE else Proof.UNKNOWN

    def _of_json(self, text: str, depth: int) -> Iterator[Proof]:
        try:
            value = read_json(text)
        except ValueError:
            value = None
        if value and (isinstance(value, Mapping) or (isinstance(value, list) and isinstance(value[0], Mapping))):
            yield from self._inside(value, depth)
        else:
            yield Proof.UNKNOWN

    def _said(self, text: str) -> Proof | None:
        """Return what a text says, its worst word first; None: nothing that is known here."""
        if len(text) > _MOST_CHARS:
            return Proof.UNKNOWN
        plain = _CONTRACTED.sub(" not", without_marks(_CAMEL.sub(" ", text).casefold()))
        words = set(_WORD.findall(plain))
        spaced = _SEPARATORS.sub(" ", plain)
        if outcomes("refused").are_in(words, spaced):
            return Proof.REFUSED
        if outcomes("later").are_in(words, spaced):
            return Proof.UNKNOWN
        if outcomes("undone").are_in(words, spaced):
            return Proof.DONE if self._undoes else Proof.REFUSED
        return Proof.DONE if outcomes("done").are_in(words, spaced) else None


def is_identifier(name: str) -> bool:
    """Return whether a field holds the key of what was made, and not that of a person or a request."""
    if name.endswith(_IDENTIFIERS) or name in {"id", "uid", "uuid"}:
        return True
    return name.endswith("id") and len(name) > 4 and not name.startswith((*_OTHERS_IDS, *_REQUEST_IDS))


def _of_flag(value: object) -> Proof:
    """Read a field that says whether the deed was done; a time or a number in its place says when, or how many."""
    match value:
        case bool():
            return Proof.DONE if value else Proof.REFUSED
        case int() | float():
            return Proof.DONE if value > 0 else Proof.REFUSED
        case str() if _is_empty(value):
            return Proof.REFUSED
        case str():
            return _ResultWalk(undoes=True)._said(value) or Proof.DONE
        case Mapping() | list() if value:
            return Proof.DONE
    return Proof.UNKNOWN if value is None else Proof.REFUSED


def _of_code(value: object) -> Iterator[Proof]:
    match value:
        case bool() | None:
            yield Proof.UNKNOWN
        case int() | float():
            yield from () if value == 0 else (_of_number(value),)
        case str() if value.strip().isdecimal() and len(value.strip()) < 6:
            yield from () if int(value) == 0 else (_of_number(int(value)),)
        case str() if any(char.isdecimal() for char in value):
            return  # "7KX92" is the code of a booking
        case str():
            yield _ResultWalk(undoes=False)._said(value) or Proof.UNKNOWN


def _of_number(status: float) -> Proof:
    """Read a status of HTTP: 202 says that it is not done yet (RFC 9110, 15.3.3)."""
    if 200 <= status < 300:
        return Proof.UNKNOWN if status == 202 else Proof.DONE
    return Proof.REFUSED if status <= 0 or 400 <= status < 600 else Proof.UNKNOWN


def _is_empty(value: object) -> bool:
    """Return whether a field says that there is nothing of its name: "none", 0, an empty list."""
    if isinstance(value, str):
        return value.strip().casefold() in {"", "0", "no", "none", "null", "false", "n/a", "-", "no error", "no errors"}
    return not value


def field_name(name: str) -> str:
    return _SEPARATORS.sub("", without_marks(name.casefold()))
