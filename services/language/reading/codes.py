"""Codes: numbers that name a thing are said digit by digit, letters beside them by their names."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers, in_groups
from services.language.reading.rule import WORD, Rule, any_of

_DIGITS_OR_LETTERS = re.compile(r"\d+|[^\W\d_]+")
_HASH = re.compile(r"[#№]\s*")
_LONGEST_RUN = 6  # digits said in one breath; a longer run is cut into threes
_LETTERED = (
    r"(?!\d+(?:AM|PM|ST|ND|RD|TH)\b)(?=[A-Z\d-]*\d)(?=[A-Z\d-]*[A-Z])[A-Z\d]+(?:-[A-Z\d]+)*+"  # AB12, XK7-99Q
    r"|[a-z]+\d[a-z\d]*+(?![/.]\w)"  # a1b2
)


def characters(code: str, numbers: Numbers) -> str:
    """Digits by themselves, letters by their names, groups parted by commas: "A B, one two"."""
    said = []
    for part in _DIGITS_OR_LETTERS.findall(code):
        if not part[0].isdecimal():
            said.append(" ".join(part.upper()))
            continue
        lengths = [3] * (len(part) // 3) if len(part) > _LONGEST_RUN else [len(part)]
        said += [numbers.digits(cut) for cut in in_groups(part, lengths)]
    return ", ".join(said)


def announced_codes(words: Mapping[str, Any], numbers: Numbers) -> Rule:
    """Codes behind a noun of `code_words`, three digits or more, or behind one of `short_code_words`, two or more.

    Not an amount of `counted_things`: "order 100 boxes". `code_links` may stand between: "code is 4821".
    """
    short, long, counted = (any_of(words[key]) for key in ("short_code_words", "code_words", "counted_things"))
    links = "|".join(words["code_links"]) or "(?!)"
    gap, many = (r"\s", "+") if words.get("gap", " ") else (r"\s?", "*")
    known: Mapping[str, str] = words.get("abbreviations", {})
    sign = words["hash"]
    pattern = re.compile(
        rf"(?<!{WORD})(?P<before>(?i:(?:(?P<short>{short})|{long})\.?(?:{gap}(?:{links}))*+[\s:#№]{many}+))"
        rf"(?P<code>\d+(?:-\d{{2,}})*+|{_LETTERED})"
        rf"(?!{WORD}|[/%°$€£₫¥]|[.,:]\d|['’′]|\s[%°]|(?:\s\w+)?\s(?:{counted})\b)"
    )

    def code(match: re.Match[str]) -> str | None:
        text, before = match["code"], match["before"]
        if text.isdecimal() and len(text) < (2 if match["short"] else 3):
            return None
        noun = before.rstrip(" \t:#№")
        said = known.get(noun, noun) + _HASH.sub(f"{sign} ", before[len(noun) :])
        return said + characters(text, numbers)

    return Rule(pattern, code)


def bare_codes(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Letters and digits together, "AB12345", and what stands behind "#": "#A-1029B"; short numbers are none."""

    def behind_hash(match: re.Match[str]) -> str | None:
        text = match["code"]
        return None if text.isdecimal() and len(text) < 3 else f"{words['hash']} {characters(text, numbers)}"

    return [
        Rule(re.compile(r"#\s?(?P<code>(?=[A-Z-]*+\d)[A-Z\d]+(?:-[A-Z\d]+)*+)(?![\w.]\w|\w)"), behind_hash),
        Rule(
            re.compile(r"(?<![\w#$€£₫-])(?P<code>[A-Z]{1,4}-?\d{3,}[A-Z]?|\d{2,}[A-Z]{2,3}\d+)(?![\w-])"),
            lambda match: characters(match["code"], numbers),
        ),
    ]


def with_extension(word: str, numbers: Numbers) -> Rule:
    """The extension behind a telephone number: "555-0199 x204"."""
    return Rule(
        re.compile(r"(?<=\d)\s?x\s?(?P<code>\d{2,5})(?!\w)"),
        lambda match: f", {word} {characters(match['code'], numbers)}",
    )
