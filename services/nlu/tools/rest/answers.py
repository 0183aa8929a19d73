"""Answers of REST services: a success to read, or the failure that a status means. Sans-IO."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from services.nlu.remote.failures import read_retry_after, said_in
from services.nlu.tools.rest.failures import (
    BadAnswer,
    CallFailed,
    CredentialsRefused,
    NotAllowed,
    Refused,
    ServerFailed,
    TooBusy,
)
from services.runtime.json_text import read_json

Fault = Callable[["Answer"], CallFailed | None]
"""The reader of a system's own errors, which come with any status, a success too; None: nothing is wrong."""

_FEWEST_HIDDEN = 6  # characters of a secret; a shorter one could be a word of the answer
_HIDDEN = b"***"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    who: str  # the system, for error messages
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises BadAnswer where it is no JSON."""
        try:
            return read_json(self.body)
        except ValueError as error:
            kind = self.headers.get("Content-Type", "no type").partition(";")[0]
            message = f"{self.who} answered {self.status} with {len(self.body)} bytes of {kind} that are no JSON"
            raise BadAnswer(message, status=self.status) from error

    def object(self) -> dict[str, Any]:
        """Raises BadAnswer where it is no JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise BadAnswer(f"{self.who} answered {self.status} with JSON that is no object", status=self.status)
        return value


def without_secrets(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return what a system said, without our secrets: some systems repeat in an error what was sent to them."""
    for secret in sorted(set(secrets), key=len, reverse=True):  # one may begin as another one does
        if len(secret) < _FEWEST_HIDDEN:
            continue
        in_json = json.dumps(secret)[1:-1]
        ways = {secret, in_json, in_json.replace("/", "\\/"), json.dumps(secret, ensure_ascii=False)[1:-1]}
        ways |= {quote(secret, safe="", errors="replace"), quote(secret, errors="replace")}  # as in a URL or a form
        ways |= {quote_plus(secret, errors="replace"), escape(secret), escape(secret, quote=False)}
        for written in sorted(ways, key=len, reverse=True):
            body = body.replace(written.encode(errors="replace"), _HIDDEN)
    return body


def failure_of(answer: Answer, *, now: datetime) -> CallFailed:
    """Return what a status that is no success means; `now` is aware, for a Retry-After that is a date."""
    status, who = answer.status, answer.who
    said = "" if _is_page(answer) else said_by(answer)
    text = f"{who} answered {status}" + (f": {said}" if said else "")
    retry_after_s = read_retry_after(answer.headers, now=now) or _retry_info_s(answer)
    if status == 401:
        return CredentialsRefused(f"{text}: its credentials have to be renewed by the operator", status=status)
    if status in {403, 407}:
        return NotAllowed(f"{text}: these credentials may not do this", status=status)
    if status == 429:
        return TooBusy(f"{text}: try again later", retry_after_s=retry_after_s, status=status)
    if 300 <= status < 400:
        return Refused(f"{who} answered {status}, a redirect: it is not followed; mend its URL", status=status)
    if 400 <= status < 500 and status != 408:
        return Refused(text, status=status)
    return ServerFailed(f"{text}: try again later", retry_after_s=retry_after_s, status=status)


def said_by(answer: Answer) -> str:
    """The message of an error, in one line: of the shapes that the systems here have."""
    try:
        value = read_json(answer.body)
    except ValueError:
        return said_in(answer.body)
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        for name in ("error_description", "message", "detail", "title", "error"):
            if isinstance(first.get(name), str) and first[name]:
                return " ".join(first[name].split())[:200]
    return said_in(answer.body)


def _is_page(answer: Answer) -> bool:
    return answer.body.lstrip()[:1] == b"<"


def _retry_info_s(answer: Answer) -> float:
    """Seconds of a google.rpc.RetryInfo in the error's details; 0: there is none."""
    try:
        value = read_json(answer.body)
    except ValueError:
        return 0.0
    error = value.get("error") if isinstance(value, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("@type") == _RETRY_INFO:
            try:
                return max(0.0, float(str(detail.get("retryDelay", "0s")).removesuffix("s")))
            except ValueError:
                return 0.0
    return 0.0
