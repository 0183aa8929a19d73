"""Reader of plain TOML 1.0: tables, and lists of tables, of texts, whole numbers, booleans and lists of texts.

It takes less than half of the time of `tomllib`, whose parser reads a file character by character in Python. A value of
another kind that ends in its line is read by `tomllib`; so is a whole file with anything else in it or with a fault,
and `tomllib` then says what is wrong.
"""

import re
import tomllib
from typing import Any

_TEXT = r"""(?:"(?!"")[^"\\\x00-\x1f\x7f]*+"|'(?!'')[^'\x00-\x1f\x7f]*+')"""
_LINES = r'"""\n?(?P<lines>[^"\\\x00-\x08\x0b-\x1f\x7f]*+)"""'
_GAP = r"(?:[ \t\n]|#[^\x00-\x08\x0a-\x1f\x7f]*+\n)*+"  # within a list: white space and comments
_END = r"[ \t]*+(?:#[^\x00-\x08\x0a-\x1f\x7f]*+)?(?:\n|\Z)"
_LIST = rf"\[{_GAP}(?:{_TEXT}{_GAP}(?:,{_GAP}{_TEXT}{_GAP})*+(?:,{_GAP})?)?+\]"
_VALUE = rf"(?:{_LINES}|(?P<text>{_TEXT})|(?P<list>{_LIST})|(?P<number>0|[1-9][0-9]{{0,15}})|(?P<flag>true|false))"
_KEY = rf"(?P<key>[\w-]++|{_TEXT})[ \t]*+=[ \t]*+(?:{_VALUE}{_END}|(?P<other>[^\n]++)(?:\n|\Z))"
_HEADING = r"\[(?P<table>[\w-]++(?:\.[\w-]++)*+)\]|\[\[(?P<row>[\w-]++)\]\]"
_LINE = re.compile(rf"[ \t]*+(?:{_KEY}|(?:{_HEADING})?{_END})", re.ASCII)
_TEXTS = re.compile(rf"#[^\n]*+|({_TEXT})")


def loads(text: str) -> dict[str, Any]:
    """The tables of a file in TOML. Raises tomllib.TOMLDecodeError."""
    try:
        found = _plain(text)
    except tomllib.TOMLDecodeError:  # of one line, which names no place in the file
        found = None
    return tomllib.loads(text) if found is None else found


def _plain(text: str) -> dict[str, Any] | None:
    """The tables of a plain file; None for what `tomllib` has to read. Raises tomllib.TOMLDecodeError."""
    tables: dict[str, Any] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    table, at = tables, 0
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None:
            return None
        at = line.end()
        if key := line["key"]:
            key = key[1:-1] if key[0] in "\"'" else key
            if key in table:
                return None
            table[key] = _value(line)
        elif name := line["table"]:
            opened = _opened(tables, name)
            if opened is None:
                return None
            table = opened
        elif name := line["row"]:
            if (name in tables) is not (name in rows):
                return None
            table = {}
            rows.setdefault(name, tables.setdefault(name, [])).append(table)
    return tables


def _opened(tables: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The table of a heading, empty at first; None where a key is no table or has been used."""
    *above, last = name.split(".")
    for part in above:
        tables = tables.setdefault(part, {})
        if not isinstance(tables, dict):
            return None
    return None if last in tables else tables.setdefault(last, {})


def _value(line: re.Match[str]) -> Any:
    """The value of a line. Raises tomllib.TOMLDecodeError for a fault, and for what does not end in its line."""
    if (text := line["text"]) is not None:
        return text[1:-1]
    if (texts := line["list"]) is not None:
        return [found[1:-1] for found in _TEXTS.findall(texts) if found]
    if (lines := line["lines"]) is not None:
        return lines
    if (other := line["other"]) is not None:
        return tomllib.loads(f"value = {other}")["value"]
    return int(line["number"]) if line["number"] else line["flag"] == "true"
