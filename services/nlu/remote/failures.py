"""Failures of chat servers by status or error: the turn's failure, and its class for the breaker. Sans-IO."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from services.nlu.remote.answer import readable
from services.runtime.breaker import ErrorClass
from services.runtime.exposure import without_userinfo
from services.runtime.json_text import read_json
from services.runtime.providers import ProviderFailed

_MAX_MESSAGE_CHARS = 200
_LONGEST_ASKED_S = 86400.0  # a server that asks for more does not know when it will be back
_SPENT = ("insufficient_quota", "billing", "credit")  # a 429 that no waiting mends
_STATUS_OF = (  # of errors within a stream, by what servers call them
    (("insufficient_quota", "billing"), 429),
    (("rate_limit", "resource_exhausted", "too_many_requests"), 429),
    (("overloaded", "unavailable"), 503),
    (("api_key", "authentication", "permission", "unauthenticated"), 401),
    (("context_length", "invalid_request", "invalid_argument"), 400),
)
_TOO_LONG = ("context_length", "context length", "maximum context", "too many tokens", "exceeds the available context")


def from_status(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> ProviderFailed:
    """Return the failure of a response that is no success; `now` is aware, for a Retry-After that is a date."""
    message = said_in(body)
    text = f"{provider} answered {status}" + (f": {message}" if message else "")
    if 300 <= status < 400:  # not followed: the key would go to the server named there
        text += f", which points to {_place(headers)}"
        return ProviderFailed("ENGINE_FAILED", text, ErrorClass.FATAL if status in {301, 308} else ErrorClass.TRANSIENT)
    retry_after_s = read_retry_after(headers, now=now)
    lower = body[:4096].decode(errors="replace").lower()
    if status == 429 and not any(word in lower for word in _SPENT):
        return ProviderFailed("ENGINE_BUSY", text, ErrorClass.OVERLOADED, retry_after_s=retry_after_s)
    if status in {401, 402, 403, 404, 407, 429}:
        return ProviderFailed("ENGINE_FAILED", text, ErrorClass.FATAL)
    if status in {413} or (status in {400, 422} and any(word in lower for word in _TOO_LONG)):
        return ProviderFailed("HISTORY_TOO_LONG", text, ErrorClass.REQUEST, is_retryable=False)
    if status in {400, 422}:
        return ProviderFailed("ENGINE_FAILED", text, ErrorClass.REQUEST)
    overloaded = status == 503 and retry_after_s > 0
    error_class = ErrorClass.OVERLOADED if overloaded else ErrorClass.TRANSIENT
    return ProviderFailed("ENGINE_FAILED", text, error_class, retry_after_s=retry_after_s)


def from_error_event(provider: str, error: Any) -> ProviderFailed:
    """Return the failure that a server reports within a stream that began well."""
    status = 500
    if isinstance(error, dict):
        codes = [error.get(name) for name in ("code", "status", "type")]
        named = " ".join(str(code).lower() for code in codes if isinstance(code, str))
        known = (number for words, number in _STATUS_OF if any(word in named for word in words))
        numbers = (code for code in codes if isinstance(code, int) and 400 <= code < 600)
        status = next(numbers, next(known, 500))
    return from_status(provider, status, {}, json.dumps({"error": error}).encode(), now=datetime.now(UTC))


def _place(headers: Mapping[str, str]) -> str:
    """Return the target of a redirect, without a user's name, a password or the query."""
    found = next((value for name, value in headers.items() if name.lower() == "location"), "")
    place, _, _ = found.partition("?")
    return readable(without_userinfo(place))[:_MAX_MESSAGE_CHARS] or "nowhere"


def said_in(body: bytes) -> str:
    """Return the message of an error's body, in one line: OpenAI's and Google's shape, or the text itself."""
    try:
        content = read_json(body)
    except ValueError:
        return " ".join(body[:_MAX_MESSAGE_CHARS].decode(errors="replace").split())
    if isinstance(content, list) and content:
        content = content[0]
    error = content.get("error", content) if isinstance(content, dict) else content
    message = error.get("message", "") if isinstance(error, dict) else error
    return readable(" ".join(str(message).split()))[:_MAX_MESSAGE_CHARS]


def read_retry_after(headers: Mapping[str, str], *, now: datetime) -> float:
    """Return the seconds that the server asks to wait: Retry-After (RFC 9110, 10.2.3) or retry-after-ms; a day at most.
    0: it does not say.
    """
    found = {name.lower(): value.strip() for name, value in headers.items()}
    try:
        if milliseconds := found.get("retry-after-ms"):
            asked_s = float(milliseconds) / 1000
        elif not (value := found.get("retry-after", "")):
            return 0.0
        elif value.replace(".", "", 1).isdecimal():
            asked_s = float(value)
        else:
            date = parsedate_to_datetime(value)
            asked_s = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return 0.0 if math.isnan(asked_s) else min(max(asked_s, 0.0), _LONGEST_ASKED_S)
