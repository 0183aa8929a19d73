"""The rules by which English house numbers, streets and weekdays are read aloud."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers
from services.language.reading.patterns import DASHES, any_of, shape_of
from services.language.reading.rule import DIGIT, Rule, with_lost_dot

_BETWEEN = r"\s?[-–—]\s?"
_STROKE = re.compile(r"\s?/\s?")
_DASH = re.compile(_BETWEEN)
_NUMBERED_STREET = re.compile(r"\d(?:st|nd|rd|th)\s$")  # "5th Ave", but not "the 3rd Dr. Lee sees"
_NAME = re.compile(r"\s[A-Z]")
_LONGEST_ADDRESS = 60  # code points before the word for the street


_HOUSE_NUMBER = re.compile(r"(?<![\w#$£.,/-])(?<!€)(?P<number>\d{4,5})(?=\s[A-Z\d])")


def house_number_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Numbers of four digits are said as two of two: "sixteen hundred Oak Street"."""
    streets, compass = words["streets"], words["compass"]
    word = r"\s(?:[A-Z][\w'’.]*|\d{1,3}(?:st|nd|rd|th)(?!\w))"
    name = re.compile(rf"(?:\s(?:{any_of(compass)})\.?)?(?:{word}){{1,3}}?\s(?:{any_of(streets)})(?!\w)")
    before = re.compile(rf"\d\w*(?:\s(?:{any_of(compass)})\.?)?(?:{word}){{1,3}}\s$")

    def number(match: re.Match[str]) -> str | None:
        if not name.match(match.string, match.end()):
            return None
        text = match["number"]
        return numbers.year(int(text)) if len(text) == 4 and text[0] != "0" else numbers.digits(text)

    def street(match: re.Match[str]) -> str | None:
        text = match.string[max(0, match.start() - _LONGEST_ADDRESS) : match.start()]
        is_numbered = _NUMBERED_STREET.search(text) and not _NAME.match(match.string, match.end())
        if not before.search(text) and not is_numbered:
            return None
        words = f"{streets[match['street']]} {compass[match['side']]}" if match["side"] else streets[match["street"]]
        return with_lost_dot(match, words)

    side = rf"(?:\s(?P<side>{any_of(compass)})(?!\w)\.?)?"

    def side_of_street(match: re.Match[str]) -> str | None:
        return str(compass[match["side"]]) if name.match(match.string, match.end()) else None

    return [
        Rule(_HOUSE_NUMBER, number, needs=(DIGIT,)),
        Rule(
            re.compile(rf"(?<=\d )(?P<side>{shape_of(compass)})\.?(?=\s)"),
            side_of_street,
            {"side": compass},
            (DIGIT, "".join({short[0] for short in compass})),
        ),
        Rule(
            re.compile(rf"(?<=\s)(?P<street>{shape_of(streets)})(?!\w)\.?{side}"),
            street,
            {"street": streets},
        ),
    ]


def drive_rule(words: Mapping[str, Any]) -> Rule:
    """A street without a house number: "on Elm Dr.", where "see Dr. Lee" is a doctor."""
    street: Mapping[str, str] = words["streets_without_a_number"]

    def say(match: re.Match[str]) -> str | None:
        is_named = _CAPITALISED.search(match.string, max(0, match.start() - LONGEST_NAME), match.start()) is not None
        return with_lost_dot(match, street[match["street"]]) if is_named else None

    return Rule(re.compile(rf"(?<=\w )(?P<street>{shape_of(street)})(?!\w)\.?(?!\s?[A-Z])"), say, {"street": street})


_CAPITALISED = re.compile(r"(?<=[a-z\d] )[A-Z][a-z]+ $")
LONGEST_NAME = 30  # code points


def weekday_rules(words: Mapping[str, Any]) -> list[Rule]:
    """Weekdays written short; "Sat" and "Sun" are words too."""
    to: str = words["range"]
    known: Mapping[str, str] = words["weekdays"]
    doubtful = any_of(words["doubtful_weekdays"])
    linking = [*words["list_words"], to]
    weekday, joiners = any_of(known), any_of(linking)
    every = {*known, *known.values()}
    day = shape_of(every)
    name = re.compile(rf"({weekday})\b\.?")

    def days(match: re.Match[str]) -> str:
        said = name.sub(lambda day: known[day[1]], match[0])
        return with_lost_dot(match, joined(said))

    def joined(days: str) -> str:
        return _STROKE.sub(", ", _DASH.sub(f" {to} ", days).replace("&", words["and"]))

    short: Mapping[str, str] = {**words["short_weekdays"], **known}
    order = list(dict.fromkeys(known.values()))
    initial = rf"(?:{any_of(short)})"
    joint = rf"(?:\s?[/,&]\s?|\s(?:{joiners})\s)"
    initials = re.compile(rf"{initial}(?!\w)")

    def by_initials(match: re.Match[str]) -> str | None:
        """Weekdays by their first letters: "M-Th", "M/W/F", but not "M/F"."""
        written = initials.findall(match[0])
        if all(day in every for day in written):
            return None
        is_sure = len(written) > 2 or _DASH.search(match[0]) or any(1 < len(day) < len("Mon") for day in written)
        places = [order.index(short[day]) for day in written]
        if places[0] == len(order) - 1:
            places[0] = -1  # a week may begin with Sunday
        if not is_sure or places != sorted(set(places)):
            return None
        return joined(initials.sub(lambda day: short[day[0]], match[0]))

    return [
        Rule(
            re.compile(rf"(?<![\w&/'’.-]){initial}(?:{_BETWEEN}{initial}|(?:{joint}{initial})+)(?![\w&/'’-]|\.\w)"),
            by_initials,
            needs=("".join({day[0] for day in short}), f"{DASHES}/,&{''.join(word[0] for word in linking)}"),
        ),
        Rule(
            re.compile(rf"\b(?P<first>{day}){_BETWEEN}(?P<last>{day})\b"),
            days,
            {"first": every, "last": every},
            (DASHES,),
        ),
        Rule(re.compile(rf"\b(?:{weekday})\b\.?(?:(?:\s?[-–—,/&]\s?|\s(?:{joiners})\s)(?:{weekday})\b\.?)+"), days),
        Rule(
            re.compile(rf"\b(?!(?:{doubtful})\b(?!\.|\s\d))(?P<day>{weekday})\b\.?"),
            lambda match: with_lost_dot(match, known[match["day"]]),
        ),
    ]
