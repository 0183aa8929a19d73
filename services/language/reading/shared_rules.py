"""Rules that every language has: idioms, ranges, rates, signs, keys of a telephone, words written short."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from services.language.reading.patterns import APOSTROPHE, DASH, DASHES, INCHES, SIGN, any_of, one_of, shape_of
from services.language.reading.rule import DIGIT, Rule, apart, is_letter_or_digit, with_lost_dot


def idiom_rule(idioms: Mapping[str, str]) -> Rule:
    """Return what is said in a way of its own: "24/7"."""
    return Rule(
        re.compile(rf"(?<![\w/.$£-])(?<!€)(?<!\d,)(?:{any_of(idioms)})(?![\w/%-]|[.,]\d)"),
        lambda match: idioms[match[0]],
    )


def times_rules(by: str, times: str = "") -> list[Rule]:
    """An x between two measures, "3 x 4", and behind a number where `times` is given: "2x a day"."""

    def say(match: re.Match[str]) -> str:
        before, after = match[0][0].isspace(), match[0][-1].isspace()
        is_behind_a_sign = not match.string[: match.start()][-1:].isalnum()
        return f"{' ' if before or is_behind_a_sign else ''}{by}{' ' if after or is_behind_a_sign else ''}"

    return [
        Rule(_BY, say, needs=(DIGIT, "xх")),
        *([Rule(_TIMES, lambda _: times, needs=(DIGIT, "x"))] if times else []),
    ]


_BY = re.compile(
    r"(?<=\d)\s?[xх]\s?(?=\d)|(?<=\d\w)\s[xх]\s(?=\d)|(?<=\d\w\w)\s[xх]\s(?=\d)|(?<=[^\W\d])\sx\s(?=\d)"
    rf"|(?:(?<=\d{INCHES})|(?<=\d{APOSTROPHE}))\s?x\s?(?=\d)"
)
_TIMES = re.compile(r"(?<=\d)x(?!\w)")


EXPONENT = "{}"
"""The place of the exponent in the words for "^"; without one it comes last."""


def key_rules(keys: Mapping[str, str], *, gap: str = " ") -> list[Rule]:
    """The keys # and * and the signs ^ ★ < > ~ where they are meant: beside a digit, or a key alone in a sentence."""

    def saying(spoken: str, end: str) -> Callable[[re.Match[str]], str]:
        spoken = spoken.partition(EXPONENT)[0]  # where what follows is no exponent
        return lambda match: apart(match, spoken, gap=gap).rstrip() + end if end else apart(match, spoken, gap=gap)

    return [
        Rule(_KEY_PLACES[key], saying(spoken, gap if key in "<>~" else ""), needs=("~～" if key == "~" else key,))
        for key, spoken in keys.items()
    ]


_KEY_PLACES = {
    key: re.compile(place)
    for key, place in {
        "#": r"(?<=\d)#(?![\w#])|(?<=\S\s)#(?=[\s,.;]|$)",
        "*": r"(?<=\d)\*(?=[\d\s,.;#]|$)|(?<=\S\s)\*(?=[\s,.;]|$)|(?<!\S)\*(?=\d+[#*])",
        "^": r"(?<=[\w)])\^(?=\w)",
        "★": r"(?<=\d)\s?[★⭐]\ufe0f?",
        "<": rf"(?<![\w<>=-])<\s?(?={SIGN}?\d)|(?<=\d)\s<\s(?=\d)",
        ">": rf"(?<![\w<>=-])>\s?(?={SIGN}?\d)|(?<=\d)\s>\s(?=\d)",
        "~": rf"(?<![\w~])(?<!～)[~～]\s?(?={SIGN}?\d)",
    }.items()
}
LONGEST_UNIT = 16  # code points of a number's end and its unit
_ENDS_OF_RANGE = re.compile(rf"(?:\d(?:[^\W\d_]{{1,2}})?|[%°]|\d★|\d(?:{APOSTROPHE}|{INCHES}))\.?$")
_THOUSANDS = re.compile(r"\d[.,]\d{3}$")
_RATES = re.compile(r"(?:/[^\W\d_]+\.?)+$")
_COUNTED_BEHIND = re.compile(r"\d\s?[^\W\d_]+[.²³]?(?:\s[^\W\d_]+)?(?:/[^\W\d_]+\.?)*$")
PRICE = re.compile(rf"{SIGN}\s?[\d.,]+(?:[ \u00a0\u202f]\d{{3}})*(?:{DASH}{SIGN}?[\d.,]+)?$")


def _ends_counted(text: str, units: tuple[str, ...]) -> bool:
    """A number and one of the units stand at its end. No pattern: one of all units takes a millisecond to compile."""
    return text.endswith(units) and any(
        text.endswith(unit) and text[: len(text) - len(unit)].rstrip()[-1:].isdecimal() for unit in units
    )


def range_rule(to: str, units: Iterable[str]) -> Rule:
    """A dash or a swung dash between two numbers, each with its unit or without: "5-7", "2tr-3tr", "5 kg – 10 kg"."""
    known = tuple(units)

    def say(match: re.Match[str]) -> str | None:
        if match[0].strip() in "~～" and match[0][0].isspace() and not match[0][-1].isspace():
            return None  # "5, ~7": about
        before = match.string[max(0, match.start() - LONGEST_UNIT) : match.start()]
        return to if _ENDS_OF_RANGE.search(before) or _ends_counted(before, known) else None

    return Rule(_RANGE, say, needs=(DIGIT, f"{DASHES}~～"))


_RANGE = re.compile(
    rf"(?:(?<=[\w%°²³$£¥.])|(?<=[€₽₫℃℉㎡★])|(?<=\d{APOSTROPHE})|(?<=\d{INCHES})){DASH}(?={SIGN}?\d|(?<=\s)[-−]{SIGN}?\d)"
)


def per_rule(per: Mapping[str, str], priced: Iterable[str], *, gap: str = " ", others: str = "") -> Rule:
    """The stroke of a price and of a rate: "$5/month", "2 times/day", "10 mg/kg/day".

    `per` has what is said for the stroke and a word that measures; it holds behind any word that is counted. Behind the
    units and currencies `priced` `others` are said of every other word, where given: "one" in "50k/dish".
    """
    known = tuple(priced)
    in_one = [unit for unit in known if "/" in unit]  # "km/h" has its own words

    def say(match: re.Match[str]) -> str | None:
        before = match.string[max(0, match.start() - 2 * LONGEST_UNIT) : match.start()]
        unit, end = match["unit"], match.end()
        if any(match.string.startswith(one, end - len(one)) for one in in_one):
            return None
        counted = _RATES.sub("", before)
        is_measured = _ends_counted(counted, known) or PRICE.search(before) is not None
        is_measured = is_measured or (unit in per and _THOUSANDS.search(counted) is not None)
        if unit in per and (is_measured or _COUNTED_BEHIND.search(before)):
            return f"{gap}{per[unit]}"
        return f"{gap}{others}{gap}{unit}" if others and is_measured else None

    if not gap:
        return Rule(re.compile(rf"(?<=\S)/(?P<unit>{any_of(per)})(?![A-Za-z])"), say, needs=("/",))
    if others:
        listed = any_of(word for word in per if not word.isalpha())
        return Rule(re.compile(rf"(?<=\S)/(?P<unit>{listed}|[^\W\d_]+)(?!\w)"), say, needs=("/",))
    return Rule(re.compile(rf"(?<=\S)/(?P<unit>{shape_of(per)})(?!\w)"), say, {"unit": per}, ("/",))


def gap_of_score(match: re.Match[str], gap: str = " ") -> str:
    """Return what parts the two numbers of a score: "10:1" is not to be heard as eleven."""
    is_one_number = match["one"][-1] == "0" and len(match["one"]) > 1 and len(match["other"]) == 1
    return ", " if is_one_number else gap


def sign_rule(signs: Mapping[str, str], *, gap: str = " ") -> Rule:
    """Signs said as words, with a gap on each side where none is written and something stands there."""

    def say(match: re.Match[str]) -> str:
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        is_open = before and not before.isspace()
        is_followed = after and (
            after.isalnum() or after in signs or after in "$€£(" or (after == "-" and match[0] != "%")
        )
        return f"{gap if is_open else ''}{signs[match[0]]}{gap if is_followed else ''}"

    alone = one_of("".join(sign for sign in signs if len(sign) == 1))
    listed = [any_of(sign for sign in signs if len(sign) > 1)] if any(len(sign) > 1 for sign in signs) else []
    return Rule(re.compile("|".join([*listed, alone])), say, needs=("".join(sign[0] for sign in signs),))


def short_word_rules(words: Mapping[str, Any]) -> list[Rule]:
    """Words written short: `numbered` where a number follows, `named` where a name does, `abbreviations` anywhere."""
    numbered, named, known = (words.get(key, {}) for key in ("numbered", "named", "abbreviations"))

    def written_out(match: re.Match[str]) -> str:
        return with_lost_dot(match, apart(match, known[match["word"]]))

    return [
        Rule(
            re.compile(rf"(?<!\w)(?P<word>{any_of(numbered)})\s?(?=\d)"),
            lambda match: numbered[match["word"]] + ("" if is_letter_or_digit(match[0][-1]) else words.get("gap", " ")),
            needs=(DIGIT,),
        ),
        Rule(
            re.compile(rf"(?<!\w)(?P<word>{any_of(named)})(?:\s|(?<=\.))(?=[^\W\d_][^\W_])"),
            lambda match: f"{named[match['word']]} " if match.string[match.end()].isupper() else None,
        ),
        *(Rule(re.compile(pattern), written_out, {"word": known}) for pattern in _abbreviation_patterns(known)),
    ]


def _abbreviation_patterns(known: Collection[str]) -> Iterator[str]:
    """Patterns with a group `word`: what is more than letters and a dot, letters with a dot, letters alone."""
    longest = max(map(len, known), default=0)
    letters = rf"[^\W\d_]{{1,{longest}}}+"
    if listed := [word for word in known if not word.removesuffix(".").isalpha()]:
        yield rf"(?<!\w)(?P<word>{any_of(listed)})(?:(?<=\.)|(?!\w))"
    if any(word.removesuffix(".").isalpha() and word.endswith(".") for word in known):
        yield rf"(?<!\w)(?P<word>{letters}\.)"
    if any(word.isalpha() for word in known):
        yield rf"(?<!\w)(?<!\w&)(?P<word>{letters})(?!&?\w)"
