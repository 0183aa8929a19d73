"""Numbers that change with the words beside them, as in the Slavic languages. Every ending stands in reading.toml."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.language.reading.numbers import Numbers
from services.language.reading.patterns import DASHES, ROMAN, any_of, full_year, roman, shape_of
from services.language.reading.rule import DIGIT, AnyCase, Rule

_BEHIND = r"(?![\w/]|[.,:]\d)"
_ISO_DATE = re.compile(rf"(?<![\d./-])(?P<year>[12]\d{{3}})-(?P<month>\d\d)-(?P<day>\d\d){_BEHIND}")
_DAY_AND_MONTH = re.compile(rf"(?<![\d./,-])(?P<day>[0-3]\d)\.(?P<month>[01]\d){_BEHIND}")


def inflected_rules(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Dates, years, ordinals with an ending, genitives and genders, each where reading.toml has its table."""
    return [
        *(_dates(words["dates"], numbers) if "days" in words.get("dates", {}) else ()),
        *(_years(words["years"], numbers) if "years" in words else ()),
        *(_ordinal_nouns(words["ordinal_nouns"], numbers) if "ordinal_nouns" in words else ()),
        *(_compounds(words["compounds"], numbers) if "compounds" in words else ()),
        *(_cardinals(row, numbers) for row in words.get("cardinals", ())),
        *(_ordinals(words["ordinals"], words.get("decades", {}), numbers) if "ordinals" in words else ()),
        *(_cases(row, words, numbers) for row in words.get("cases", ())),
        *(_genitives(words, numbers) if "genitive" in words else ()),
        *(_genders(row, words, numbers) for row in words.get("genders", ())),
        *([_first_of_range(words, numbers)] if "genders" in words else ()),
    ]


def _dates(dates: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """A day before the name of its month, and dates in figures. Within a sentence a day is in the genitive, but behind
    `nominative_behind`.
    """
    months: Sequence[str] = dates["months"]
    nominative = re.compile(rf"(?:^|[^\w\s,]|(?<!\w)(?:{any_of(dates['nominative_behind'])}))\s*$", re.IGNORECASE)
    dative = re.compile(rf"(?<!\w)(?:{any_of(dates['dative_behind'])})\s+$", re.IGNORECASE)
    year = r"(?P<year>[12]\d{3}|\d\d)"

    def day_of(match: re.Match[str]) -> str:
        start = match.start("day")
        is_nominative = nominative.search(match.string[max(0, start - 20) : start])
        if dative.search(match.string[max(0, start - 20) : start]):
            return numbers.spelled(int(match["day"]), dates["days_dative"])
        return numbers.spelled(int(match["day"]), dates["days"] if is_nominative else dates["days_genitive"])

    def year_of(written: str | None) -> str:
        if not written:
            return ""
        return f" {numbers.spelled(full_year(int(written)), dates['years'])} {dates['year']}"

    def figures(match: re.Match[str]) -> str | None:
        day, month = int(match["day"]), int(match["month"])
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        return f"{day_of(match)} {months[month - 1]}{year_of(match.groupdict().get('year'))}"

    def named(match: re.Match[str]) -> str | None:
        if not 1 <= int(match["day"]) <= 31:
            return None
        first = f"{numbers.spelled(int(match['first']), dates['days_genitive'])} — " if match["first"] else ""
        day = numbers.spelled(int(match["day"]), dates["days_genitive"]) if first else day_of(match)
        return f"{first}{day} {match['month']}{year_of(match['year'])}"

    def span(match: re.Match[str]) -> str | None:
        row = next((row for row in dates["spans"] if row[:2] == [match["from"].lower(), match["to"].lower()]), None)
        if row is None:
            return None
        first, last = (numbers.spelled(int(match[key]), row[at]) for key, at in (("first", 2), ("last", 3)))
        return f"{match['from']} {first} {match['to']} {last} {match['month']}"

    starts, ends = (any_of(row[at] for row in dates["spans"]) for at in (0, 1))
    marks = any_of(dates["year_marks"])
    return [
        Rule(
            re.compile(
                rf"(?<!\w)(?P<from>(?i:{starts}))\s(?P<first>[0-3]?\d)\s(?P<to>(?i:{ends}))\s(?P<last>[0-3]?\d)"
                rf"\s(?P<month>{shape_of(months)})\b(?!\s[12]\d{{3}})"
            ),
            span,
            {"month": AnyCase(months)},
            (DIGIT,),
        ),
        Rule(
            re.compile(rf"(?<![\d./-])(?P<day>\d{{1,2}})[./](?P<month>\d{{1,2}})[./]{year}(?:\s(?:{marks}))?{_BEHIND}"),
            figures,
            needs=(DIGIT, "./"),
        ),
        Rule(_ISO_DATE, figures, needs=(DIGIT, "-")),
        Rule(_DAY_AND_MONTH, figures, needs=(DIGIT, ".")),
        Rule(
            re.compile(
                rf"(?<![\w.,:/-])(?:(?P<first>[0-3]?\d)\s?[-–—]\s?)?(?P<day>[0-3]?\d)\s(?P<month>{shape_of(months)})\b"
                rf"(?:\s(?P<year>[12]\d{{3}})\b(?:\s(?:{marks}))?)?",
                re.IGNORECASE,
            ),
            named,
            {"month": AnyCase(months)},
            (DIGIT,),
        ),
    ]


def _years(years: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """A year with its noun, which tells its case: "в 2026 году"."""
    forms: Mapping[str, Sequence[str]] = years["forms"]

    towards: Mapping[str, Any] = years.get("towards", {"before": (), "ruleset": ""})
    is_towards = re.compile(rf"(?<!\w)(?:{any_of(towards['before'])})\s$", re.IGNORECASE)

    def say(match: re.Match[str]) -> str:
        noun = match["noun"]
        if noun == years["short"]:
            noun = years["behind_in"] if match["before"] else years["alone"]
        before = match.string[max(0, match.start() - _LONGEST_WORD) : match.start()]
        ruleset = towards["ruleset"] if noun == years["behind_in"] and is_towards.search(before) else forms[noun][0]
        return f"{match['before'] or ''}{numbers.spelled(int(match['year']), ruleset)} {noun}"

    def span(match: re.Match[str]) -> str | None:
        row = next((row for row in years["spans"] if row[:2] == [match["from"].lower(), match["to"].lower()]), None)
        if row is None:
            return None
        first, last = (numbers.spelled(int(match[key]), row[at]) for key, at in (("first", 2), ("last", 3)))
        noun = match["noun"] if match["noun"] in forms else years["alone"]
        return f"{match['from']} {first} {match['to']} {last} {noun}"

    def pair(match: re.Match[str]) -> str:
        ruleset = forms[years["alone"]][0]
        first, last = (numbers.spelled(int(match[key]), ruleset) for key in ("first", "last"))
        return f"{first} — {last} {years['many']}"

    nouns = any_of([*forms, years["short"]])
    starts, ends = (any_of(row[at] for row in years["spans"]) for at in (0, 1))
    pairs = any_of(years.get("short_many", ()))
    return [
        Rule(
            re.compile(rf"(?<![\w.,:/-])(?P<first>[12]\d{{3}})\s?[-–—]\s?(?P<last>[12]\d{{3}})\s?(?:{pairs})(?!\w)"),
            pair,
            needs=(DIGIT, DASHES),
        ),
        Rule(
            re.compile(
                rf"(?<!\w)(?P<from>(?i:{starts}))\s(?P<first>[12]\d{{3}})\s(?P<to>(?i:{ends}))\s(?P<last>[12]\d{{3}})\s?(?P<noun>{nouns}|{pairs})(?!\w)"
            ),
            span,
            needs=(DIGIT,),
        ),
        Rule(
            re.compile(
                rf"(?P<before>(?<!\w)(?i:{any_of(years['in'])})\s)?(?<![\w.,:/-])(?P<year>[12]\d{{3}})\s?(?P<noun>{nouns})(?!\w)"
            ),
            say,
            needs=(DIGIT,),
        ),
    ]


def _ordinal_nouns(forms: Mapping[str, str], numbers: Numbers) -> list[Rule]:
    """Nouns of which a number tells which one: "XXI век", "на 2 этаже". In the genitive a few are counted: "2 века"."""

    def say(match: re.Match[str]) -> str | None:
        number = roman(match["roman"]) if match["roman"] else int(match["number"])
        ruleset = forms[match["noun"]]
        if match["number"] and number < _FEWEST_OF_MANY and ruleset.endswith(_GENITIVE):
            return None
        return f"{numbers.spelled(number, ruleset)} {match['noun']}"

    which = rf"(?:(?P<roman>{ROMAN})|(?P<number>\d{{1,3}}))"
    return [
        Rule(
            re.compile(rf"(?<![\w.,:/-]){which}\s(?P<noun>{shape_of(forms)})(?!\w)"),
            say,
            {"noun": forms},
            (f"{DIGIT}XVI",),
        )
    ]


_FEWEST_OF_MANY = 5
_LONGEST_WORD = 8
_LAST_WORD = re.compile(r"(?<!\w)(\w+)\s$")
_GENITIVE = "-genitive"
_LAST_DAY = 31


def _ordinals(endings: Mapping[str, str], decades: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Figures with an ending: "5-го". Behind some of them tens are decades: "1990-е", "20-е годы"; a day is "20-е"."""
    plurals: Mapping[str, str] = decades.get("endings", {})
    glued = any_of(ending for ending in endings if len(ending) > 1)  # "5го", but "5м" is a length
    behind = re.compile(rf"\s(?:{any_of(decades.get('nouns', ()))})(?!\w)")

    def say(match: re.Match[str]) -> str:
        number, ending = int(match["number"]), match["ending"] or match["glued"]
        is_decade = number % 10 == 0 and (number > _LAST_DAY or behind.match(match.string, match.end()))
        return numbers.spelled(number, plurals[ending] if is_decade and ending in plurals else endings[ending])

    return [
        Rule(
            re.compile(
                rf"(?<![\w.,:/-])(?P<number>\d{{1,15}})(?:-(?P<ending>{shape_of(endings)})|(?P<glued>{glued}))(?!\w)"
            ),
            say,
            {"ending": endings},
            (DIGIT,),
        ),
    ]


def _compounds(compounds: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """A number that begins a word: "2-комнатная" is "двухкомнатная". Some have a form of their own, as 1 and 100."""
    own: Mapping[str, str] = compounds["forms"]

    def say(match: re.Match[str]) -> str | None:
        written = match["number"]
        if written in own:
            return own[written]
        tens, last = int(written) // 10 * 10, written[-1]
        if tens and last in own:
            return f"{numbers.spelled(tens, compounds['ruleset'])}{own[last]}" if tens > 10 else None
        return numbers.spelled(int(written), compounds["ruleset"]).replace(" ", "")

    return [
        Rule(
            re.compile(rf"(?<![\w.,:/-])(?P<number>[1-9]\d?|100)-(?=[^\W\d_]{{{compounds['shortest']},}})"),
            say,
            needs=(DIGIT, "-"),
        )
    ]


def _genitives(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Behind "до" and its like a number is in the genitive, and what it counts with it."""
    genitive: Mapping[str, Any] = words["genitive"]
    signs: Mapping[str, str] = genitive.get("signs", {})
    units: Mapping[str, Sequence[str]] = {**words["units"], **words["currencies"], **words.get("scales", {})}

    def say(match: re.Match[str]) -> str:
        number = match["number"]
        before = f"{signs[match['sign']]} " if match["sign"] else match["before"]
        if match["unit"]:
            return before + numbers.counted(number, "", units[match["unit"]], genitive=genitive)
        return before + numbers.whole(number, genitive["m"])

    return [
        Rule(
            re.compile(
                rf"(?:(?P<before>(?<!\w)(?i:{any_of(genitive['before'])})\s)|(?<![\w<>=-])(?P<sign>{any_of(signs)})\s?)"
                rf"(?P<number>\d{{1,6}})"
                rf"(?:\s?(?P<unit>{any_of(units)})(?!\w)|(?![\w%₽$€/-]|[.,:]\d|\s\d))"
            ),
            say,
            needs=(DIGIT,),
        )
    ]


def _cardinals(row: Mapping[str, Any], numbers: Numbers) -> Rule:
    """Figures with the ending of a number that is no ordinal, with a dash or without: "в 2-х шагах", "5ти"."""

    def say(match: re.Match[str]) -> str | None:
        number = match["number"]
        is_meant = number[-1] in row["ends"] and (len(number) == 1 or number[-2] != "1" or not row["is_parted"])
        return numbers.whole(number, row["ruleset"]) if is_meant else None

    return Rule(
        re.compile(rf"(?<![\w.,:/-])(?P<number>\d{{1,6}})-?(?:{any_of(row['endings'])})(?!\w)"), say, needs=(DIGIT,)
    )


def _cases(row: Mapping[str, Any], words: Mapping[str, Any], numbers: Numbers) -> Rule:
    """A number before a noun in the plural whose ending tells the case: "в 5 случаях", "с 2-3 детьми"."""

    def say(match: re.Match[str]) -> str | None:
        number = match["number"]
        if number[-1] == "1" and number[-2:-1] != "1":
            return None  # its noun is in the singular
        said = numbers.whole(number, row["ruleset"])
        return f"{numbers.whole(match['first'], row['ruleset'])}{words['range']}{said}" if match["first"] else said

    return Rule(
        re.compile(
            rf"(?<![\w.,:/-])(?<!\d\s)(?:(?P<first>\d{{1,6}})\s?[-–—]\s?)?{_NUMBER}"
            rf"(?=\s(?:\w+\s)?\w{{2,}}(?:{any_of(row['nouns'])})(?!\w))"
        ),
        say,
        needs=(DIGIT,),
    )


_NUMBER = r"(?P<number>\d{1,3}(?:[ \u00a0]\d{3})+|\d+)"


def _first_of_range(words: Mapping[str, Any], numbers: Numbers) -> Rule:
    """The first of two numbers takes the gender of what the second counts: "1-2 таблетки", "2 или 3 недели"."""
    counted: Mapping[str, Sequence[str]] = {**words["units"], **words.get("scales", {})}
    feminine: str = words.get("feminine", "")
    endings = {row["ends"]: tuple(row["nouns"]) for row in words["genders"] if row["ruleset"] == feminine}

    cases = {
        word: row["ruleset"]
        for row in words["genders"]
        if row["ends"] == "1" and row["ruleset"].startswith(f"{feminine}-")
        for word in row.get("behind", ())
    }

    def say(match: re.Match[str]) -> str | None:
        first, last, noun = match["first"], match["last"], match["noun"]
        if first[-1] not in endings or first[-2:-1] == "1":
            return None
        forms = counted.get(noun, ())
        ends = "2" if last[-1] in "234" and last[-2:-1] != "1" else last[-1]
        is_feminine = forms[-1] == "f" if forms else ends == "2" and noun.endswith(endings.get("2", ()))
        before = _LAST_WORD.search(match.string[max(0, match.start() - _LONGEST_WORD) : match.start()])
        ruleset = cases.get(before[1].lower(), feminine) if before and first[-1] == "1" else feminine
        return numbers.whole(first, ruleset) if is_feminine else None

    joint = rf"(?:\s?[-–—]\s?|\s(?:{any_of(words.get('list_words', ()))})\s)"
    return Rule(
        re.compile(rf"(?<![\w.,:/-])(?<!\d\s)(?P<first>\d{{1,3}})(?={joint}(?P<last>\d{{1,3}})\s(?P<noun>\w+))"),
        say,
        needs=(DIGIT,),
    )


def _genders(row: Mapping[str, Any], words: Mapping[str, Any], numbers: Numbers) -> Rule:
    """A number whose last digit is `ends` takes the gender of the noun behind it, which the noun's ending tells.

    `behind`: the words that it stands behind, and the case they ask for.
    """

    def say(match: re.Match[str]) -> str | None:
        number = match["number"]
        is_meant = number[-1] == row["ends"] and number[-2:-1] != "1"
        return numbers.whole(number, row["ruleset"]) if is_meant else None

    behind = "|".join(rf"(?<=\b{word}\s)" for word in row.get("behind", ()))
    others = any_of([*words.get("no_nouns", ()), *words.get("list_words", ())])
    noun = rf"(?!(?:{others})(?!\w))(?=\w{{2}})\w*?(?:{any_of(row['nouns'])})(?!\w)"
    return Rule(
        re.compile(
            rf"(?:(?<![\w.,:/-])|(?<=\d[-–—])){f'(?:{behind})' if behind else ''}(?<!\d\s){_NUMBER}(?=\s{noun})"
        ),
        say,
        needs=(row["ends"],),
    )
