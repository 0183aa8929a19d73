"""Times, dates in figures and weekdays of a language that has no module of its own."""

import re
from collections.abc import Mapping
from typing import Any

from services.language.reading.numbers import Numbers
from services.language.reading.patterns import DASH, DASHES, any_of, letter, letter_or_digit
from services.language.reading.rule import DIGIT, Rule, with_lost_dot
from services.language.reading.shared_rules import gap_of_score

_HOUR = r"(?P<hour>[01]?\d|2[0-3]|24(?=[:：]00))"


def figure_date_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Day, month and year in figures. Inflected dates are in inflection.py."""
    dates = words.get("dates")
    if not dates or "days" in dates:
        return []

    def figures(match: re.Match[str]) -> str | None:
        day, month = int(match["day"]), int(match["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        template: str = dates["with_year"]
        return template.format(
            day=numbers.cardinal(day), month=numbers.cardinal(month), year=numbers.digits(match["year"])
        )

    return [
        Rule(
            re.compile(
                r"(?<![\d./-])(?P<year>[12]\d{3})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?![\d/-]|\.\d)"
            ),
            figures,
            needs=(DIGIT, "-/."),
        ),
        Rule(
            re.compile(rf"(?<!\d)(\d{{4}})(?={dates['year_mark']})"),
            lambda match: numbers.digits(match[1]),
            needs=(DIGIT,),
        ),
    ]


def clock_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    times = words["times"]
    rulesets = {word: case["m"] for case in map(words.get, ("genitive", "dative")) if case for word in case["before"]}
    before = any_of(rulesets)

    def clock(match: re.Match[str]) -> str:
        hour, minute = int(match["hour"]), int(match["minute"])
        key = "sharp" if minute == 0 else "low" if minute < 10 else "plain"
        ruleset = rulesets.get((match["before"] or "").strip().lower(), "")
        said: str = times.get("hours", {}).get(str(hour), "")
        spoken = str(times[key]).format(
            hour=said or numbers.whole(match["hour"], ruleset),
            minute=numbers.whole(match["minute"], ruleset if key == "plain" else ""),
        )
        if match["second"]:
            second = str(int(match["second"]))
            seconds = numbers.counted(second, "", times["second"]) if "second" in times else numbers.whole(second)
            spoken += f"{words.get('gap', ' ')}{seconds}"
        return (match["before"] or "") + spoken

    gap: str = words.get("gap", " ")

    def score(match: re.Match[str]) -> str:
        ratio: str = words.get("ratio", gap)
        parted = ratio if ratio.strip() else gap_of_score(match, ratio)
        return f"{numbers.whole(match['one'])}{parted}{numbers.whole(match['other'])}"

    return [
        Rule(
            re.compile(
                rf"(?P<before>(?<!\w)(?i:{before})\s)?(?<![\d:.,]){_HOUR}[:：](?P<minute>[0-5]\d)(?:[:：](?P<second>[0-5]\d))?(?![\d:])"
            ),
            clock,
            needs=(DIGIT, ":："),
        ),
        Rule(
            re.compile(rf"(?<!{letter(words)})(?<![\d:.,])(?P<one>\d{{1,2}}):(?P<other>\d{{1,2}})(?![\d:])"),
            score,
            needs=(DIGIT, ":"),
        ),
    ]


def weekday_rules(words: Mapping[str, Any]) -> list[Rule]:
    """Weekdays written short, and a dash between two of them."""
    known: Mapping[str, str] = words.get("weekdays", {})
    if not known:
        return []
    name = rf"(?i:{any_of(known)})"

    def between(match: re.Match[str]) -> str:
        first, last = (known[match[key].lower()] for key in ("first", "last"))
        return with_lost_dot(match, f"{first}{words['range']}{last}")

    before = letter_or_digit(words) if words.get("gap", " ") else letter(words)  # but "12-31周三"
    start, end = rf"(?<!{before})", rf"(?!{letter(words)})"
    return [
        Rule(
            re.compile(rf"{start}(?P<first>{name})\.?{DASH}(?P<last>{name}){end}\.?"), between, needs=(f"{DASHES}~～",)
        ),
        Rule(re.compile(rf"{start}{name}{end}"), lambda match: known[match[0].lower()]),
    ]
