"""Results of tools as a model can read them: JSON, and no longer than it may be. Sans-IO."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from services.runtime.json_text import read_json

_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^<>]{0,2000}>", re.DOTALL | re.IGNORECASE)
_IS_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body|\?xml)\b", re.IGNORECASE)
_SHOWN_CHARS = 300  # of what is no JSON: enough for "502 Bad Gateway"
_READ_CHARS = 20_000  # of a page, before its tags are taken out
_CUTS = ((50, 800), (20, 400), (10, 200), (5, 100), (2, 60))  # (items of a list, characters of a text), one by one


class ResultUnreadable(Exception):
    """A tool's result is no JSON; the message is for the model."""


def fit_result(result: str, *, most_chars: int) -> str:
    """The result as JSON of at most so many characters, or a little more. What was left out is told in it.

    Raises ResultUnreadable, with the beginning of what came.
    """
    try:
        value = read_json(result)
    except ValueError as error:
        is_page = _IS_HTML.match(result) is not None
        what = "a web page instead of JSON" if is_page else "no JSON"
        raise ResultUnreadable(f"the tool returned {what}: {_shown(result)}") from error
    if len(result) <= most_chars:
        return result
    told = f"too long ({len(result)} characters): lists and texts are cut"
    for most_items, most_text in _CUTS:
        cut = json.dumps({"cut": told, "result": _cut(value, most_items, most_text)}, ensure_ascii=False)
        if len(cut) <= most_chars:
            return cut
    told = f"too long ({len(result)} characters): only its beginning is here"
    return json.dumps({"cut": told, "beginning": result[: max(most_chars // 2, 100)]}, ensure_ascii=False)


def _cut(value: Any, most_items: int, most_text: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= most_text else f"{value[:most_text]}..."
    if isinstance(value, list):
        kept = [_cut(item, most_items, most_text) for item in value[:most_items]]
        return kept if len(value) <= most_items else [*kept, f"... {len(value) - most_items} more"]
    if isinstance(value, dict):
        kept_items = list(value.items())[:most_items]
        shorter = {str(key)[:most_text]: _cut(item, most_items, most_text) for key, item in kept_items}
        return shorter if len(value) <= most_items else {**shorter, "...": f"{len(value) - most_items} more"}
    return value


def _shown(result: str) -> str:
    text = " ".join(html.unescape(_TAGS.sub(" ", result[:_READ_CHARS])).split())
    return text[:_SHOWN_CHARS] or "nothing that can be read"
