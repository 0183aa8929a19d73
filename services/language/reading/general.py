"""Rules for a language that has no module of its own: all of it is data, numbers by Unicode's RBNF (CLDR)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.language.data import primary, where
from services.language.reading.addresses import address_rules
from services.language.reading.codes import AnnouncedCodes, bare_codes, dialled
from services.language.reading.general_times import clock_rules, figure_date_rules, weekday_rules
from services.language.reading.inflection import inflected_rules
from services.language.reading.numbers import Numbers
from services.language.reading.patterns import (
    DASH,
    DASHES,
    MIXED,
    SIGN,
    VULGAR,
    VULGAR_SIGNS,
    any_of,
    letter,
    listed,
    signs_of,
    vulgar_fraction,
)
from services.language.reading.reading_words import words_of
from services.language.reading.rule import DIGIT, Rewriter, Rule, apart, with_lost_dot
from services.language.reading.shape import check_shape
from services.language.reading.shared_rules import (
    EXPONENT,
    idiom_rule,
    key_rules,
    per_rule,
    range_rule,
    short_word_rules,
    sign_rule,
    times_rules,
)
from services.language.reading.telephone import telephone_rules

_MINUS_BETWEEN = re.compile(rf"(?<=\d)\s?−\s?(?={SIGN}?\d)")
_MINUS_BEFORE = re.compile(rf"(?:(?<![\w)%°])[-−]|(?<!\S)–)(?={SIGN}?\d)")
_FRACTION = re.compile(r"(?<![\d.,/])(\d{1,15})[/⁄](\d{1,15})(?![\d]|/\d)")
_HASH = re.compile(r"#\s?(?=\d)")
_SLASH = re.compile(r"(?<=\d)/(?=\d)")
_BEHIND_A_WHOLE = re.compile(rf"(?<=\d){VULGAR}")
_VULGAR = re.compile(VULGAR)

_LONGEST_UNIT = 16  # code points of a number's end and its unit
_LONGEST_INSIDE = 2  # digits beside a letter that are said as a number
_LARGEST_DENOMINATOR = 10  # of what is said as a fraction


def rules(language_code: str) -> Sequence[Rewriter]:
    """The rules of a language by its data alone, in the order in which they are asked."""
    language = primary(language_code)
    words = words_of(language)
    check_shape(where(language, "reading"), words)  # here, so that what is wrong is named at start and not in a call
    if "percent_before" not in words:
        words["percent"]
    numbers = Numbers(language, words)
    phone_numbers = numbers.with_digits(words.get("phone_digits", words["digits"]))
    number = _number_pattern(words)
    announced = AnnouncedCodes(words, phone_numbers)
    done = rf"(?!{letter(words)})(?![\d:/]|[.,]\d)"
    scale = rf"(?:\s?(?P<scale>{any_of(words['scales'])}){done})?" if words.get("scales") else "(?P<scale>)"
    return (
        *address_rules(words, numbers),
        dialled(words, phone_numbers),
        *figure_date_rules(words, numbers),
        *inflected_rules(words, numbers),
        *telephone_rules(words, phone_numbers),
        announced,
        *bare_codes(words, phone_numbers),
        *clock_rules(words, numbers),
        *weekday_rules(words),
        *_sums(words, numbers, _number_pattern(words, of_money=True), scale),
        idiom_rule(words.get("idioms", {})),
        *_powers(words, numbers),
        *_quantities(words, numbers, number),
        announced.far(),
        Rule(_HASH, lambda _: f"{words['hash']}{words.get('gap', ' ')}", needs=(DIGIT, "#")),
        *short_word_rules(words),
        *key_rules(words["keys"], gap=words.get("gap", " ")),
        *times_rules(words.get("times_sign", words["signs"].get("×", "×"))),
        *_fractions(words, numbers),
        *_chains(words, numbers),
        Rule(
            re.compile(rf"(?:{_apart(words)}|(?<=\dx)){number}(?!\d)|\d+"),
            lambda match: _number(match, numbers, words.get("gap", " ")),
            needs=(DIGIT,),
        ),
        sign_rule(words["signs"], gap=words.get("gap", " ")),
    )


def _number_pattern(words: Mapping[str, Any], *, of_money: bool = False) -> str:
    """A number, its thousands parted by a space or by the language's own sign: 1 500, 1,500.5, or 1.500,5 in German.

    A sum has no thousandths, so that a dot before three digits parts its thousands too.
    """
    thousands = re.escape(words.get("thousands_sign", ","))
    groups = rf"\d{{1,3}}(?:[ \u00a0\u202f]\d{{3}})+(?!\d)|[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+(?!\d)"
    groups = rf"[1-9]\d{{0,2}}(?:[.]\d{{3}})+(?!\d)|{groups}" if of_money else groups
    return rf"(?P<whole>{groups}|\d+)(?:[{re.escape(words['point_signs'])}](?P<fraction>\d+))?"


def _apart(words: Mapping[str, Any]) -> str:
    """Before a number that is not part of something else."""
    return rf"(?<!{letter(words)})(?<![\d.,:/])"


def _sums(words: Mapping[str, Any], numbers: Numbers, number: str, scale: str) -> list[Rule]:
    currencies: dict[str, Sequence[str]] = words["currencies"]
    gap: str = words.get("gap", " ")
    signs, known = listed(currencies, words), {"currency": currencies}
    leading = [sign for sign in currencies if not any(letter.isalpha() and not letter.isupper() for letter in sign)]
    before, known_before = signs_of(leading), {"currency": frozenset(leading), "again": frozenset(leading)}

    def total(match: re.Match[str]) -> str:
        forms, fraction = currencies[match["currency"]], match["fraction"] or ""
        if match["scale"]:
            scaled: Sequence[str] = words["scales"][match["scale"]]
            noun = forms[0] if len(forms) == 1 else forms[2]
            return f"{_counted(match['whole'], fraction, scaled, words, numbers)}{gap}{noun}"
        if len(fraction) == 2 and len(forms) > 1 and (cents := words.get("cents", {}).get(match["currency"])):
            said = numbers.counted(match["whole"], "", forms)
            return f"{said} {numbers.counted(fraction, '', cents)}" if int(fraction) else said
        return _counted(match["whole"], fraction.rstrip("0"), forms, words, numbers)

    def range_of_sums(match: re.Match[str]) -> str:
        low = numbers.whole(match["low"])
        return f"{low}{gap.join(('', words['range'].strip(), ''))}{total(match)}"

    def behind(match: re.Match[str]) -> str:
        return with_lost_dot(match, total(match))

    return [
        Rule(
            re.compile(
                rf"(?P<currency>{before})\s?(?P<low>\d{{1,9}})\s?[-–—]\s?(?P<again>{before})?{number}{scale}(?![.,]?\d)"
            ),
            range_of_sums,
            known_before,
            (DIGIT, DASHES, "".join({sign[-1] for sign in leading})),
        ),
        Rule(
            re.compile(rf"(?<!\d)(?<!\d\s)(?P<currency>{before})\s?{number}{scale}(?!\d)"),
            total,
            {"currency": known_before["currency"]},
            (DIGIT, "".join({sign[-1] for sign in leading})),
        ),
        Rule(
            re.compile(rf"{_apart(words)}{number}{scale}\s?(?P<currency>{signs})(?!{letter(words)})"),
            behind,
            known,
            (DIGIT,),
        ),
    ]


def _quantities(words: Mapping[str, Any], numbers: Numbers, number: str) -> list[Rule]:
    units: dict[str, Sequence[str]] = {**words["units"], **words.get("scales", {})}
    gap: str = words.get("gap", " ")
    of_two = words.get("two", {"before": [], "not_behind": [], "ranged": [], "spoken": ""})
    split = any_of(words.get("split_units", ()))
    priced = [*units, *words["currencies"]]

    def percent(match: re.Match[str]) -> str:
        if "percent_before" in words:
            return f"{words['percent_before']}{gap}{numbers.decimal(match['whole'], match['fraction'] or '')}"
        return numbers.counted(match["whole"], match["fraction"] or "", words["percent"])

    def percents(match: re.Match[str]) -> str:
        low = numbers.decimal(match["low"], match["part"] or "")
        return f"{words['percent_before']}{gap}{low}{gap}{words['range'].strip()}{gap}{percent(match)}"

    ranges = []
    if "percent_before" in words:
        low = number.replace("<whole>", "<low>").replace("<fraction>", "<part>")
        ranges.append(Rule(re.compile(rf"{_apart(words)}{low}\s?%?{DASH}{number}\s?%"), percents, needs=(DIGIT, "%")))
    return [
        *ranges,
        Rule(re.compile(rf"{_apart(words)}{number}\s?%"), percent, needs=(DIGIT, "%")),
        Rule(
            re.compile(
                rf"{_apart(words)}(?P<whole>\d{{1,4}})(?P<unit>{split})(?P<rest>\d{{1,2}})(?!\d|{letter(words)}|[.,:]\d)"
            ),
            lambda match: (
                _counted(match["whole"], "", [match["unit"]], words, numbers) + gap + numbers.digits(match["rest"])
            ),
            needs=(DIGIT, "".join(unit[0] for unit in words.get("split_units", ()))),
        ),
        Rule(
            re.compile(rf"{_apart(words)}{number}\s?(?P<unit>{listed(units, words)})(?!{letter(words)})"),
            lambda match: with_lost_dot(
                match, _counted(match["whole"], match["fraction"] or "", units[match["unit"]], words, numbers)
            ),
            {"unit": units},
            (DIGIT,),
        ),
        per_rule(words.get("per", {}), priced, gap=gap),
        Rule(
            re.compile(
                rf"{_apart(words)}(?<!{any_of(of_two['not_behind'])})2"
                rf"(?=(?:{DASH}\d{{1,4}}|(?:{any_of(of_two['ranged'])})\d{{1,4}})?\s?(?:{any_of(of_two['before'])}))"
            ),
            lambda _: of_two["spoken"],
            needs=("2",),
        ),
        Rule(_MINUS_BETWEEN, lambda _: f"{gap}{words['minus']}{gap}", needs=(DIGIT, "−")),
        range_rule(words["range"], priced),
        Rule(_MINUS_BEFORE, lambda _: f"{words['minus']}{gap}", needs=(DIGIT, "-−–")),
    ]


def _counted(whole: str, fraction: str, forms: Sequence[str], words: Mapping[str, Any], numbers: Numbers) -> str:
    """A number with its noun; two things are another word than the number two where `two` says so: 两米."""
    if "two" in words and whole == "2" and not fraction:
        return f"{words['two']['spoken']}{words.get('gap', ' ')}{forms[0]}"
    return numbers.counted(whole, fraction, forms)


def _fractions(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Two numbers with a stroke between: a fraction where the language says how, else with the word for the stroke."""
    fraction, stroke = words.get("fraction"), words["address_signs"]["/"]
    gap: str = words.get("gap", " ")

    forms: Mapping[str, str] = words.get("fractions", {})

    def as_fraction(upper: int, lower: int) -> str:
        if forms:
            part = numbers.spelled(lower, forms["one" if upper == 1 else "many"])
            return f"{numbers.spelled(upper, forms['upper'])} {part}"
        if fraction:
            return str(fraction).format(upper=numbers.cardinal(upper), lower=numbers.cardinal(lower))
        return f"{numbers.cardinal(upper)}{gap}{words.get('stroke', stroke)}{gap}{numbers.cardinal(lower)}"

    def say(match: re.Match[str]) -> str:
        most = _LARGEST_DENOMINATOR if forms else 999
        is_number = match[1].startswith("0")  # of a contract: "0012/34"
        if (fraction or forms) and not is_number and len(match[2]) < 4 and 0 < int(match[1]) < int(match[2]) <= most:
            return as_fraction(int(match[1]), int(match[2]))
        return f"{numbers.part(match[1])}{gap}{words.get('stroke', stroke)}{gap}{numbers.part(match[2])}"

    def mixed(match: re.Match[str]) -> str | None:
        upper, lower = int(match["upper"]), int(match["lower"])
        if not (fraction or forms) or not 0 < upper < lower:
            return None
        return f"{numbers.whole(match['whole'])}{joint}{as_fraction(upper, lower)}"

    def behind_a_whole(match: re.Match[str]) -> str:
        is_beside = match.string[match.end() :][:1].isalpha()
        return f"{joint}{as_fraction(*vulgar_fraction(match[0]))}{gap if is_beside else ''}"

    joint = gap.join(("", words["mixed"], "")) if "mixed" in words else gap
    return [
        Rule(MIXED, mixed, needs=(DIGIT, "/⁄")),
        Rule(_BEHIND_A_WHOLE, behind_a_whole, needs=(DIGIT, VULGAR_SIGNS)),
        Rule(_FRACTION, say, needs=(DIGIT, "/⁄")),
        Rule(_SLASH, lambda _: f"{gap}{words.get('stroke', stroke)}{gap}", needs=(DIGIT, "/")),
        Rule(_VULGAR, lambda match: apart(match, as_fraction(*vulgar_fraction(match[0]))), needs=(VULGAR_SIGNS,)),
    ]


def _powers(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Return the powers of a language that has words on both sides of the exponent: "2^3" is "二的三次方"."""
    spoken: str = words["keys"].get("^", "")
    minus: str = words["minus"]
    if EXPONENT not in spoken:
        return []

    def say(match: re.Match[str]) -> str:
        number = match["letter"] or numbers.decimal(match["whole"], match["fraction"] or "")
        return spoken.replace(EXPONENT, f"{minus if match['minus'] else ''}{number}")

    return [
        Rule(
            re.compile(
                r"(?<=[\w)])\^(?P<minus>[-−]?)(?:(?P<whole>\d+)(?:\.(?P<fraction>\d+))?|(?P<letter>[A-Za-z]))"
                r"(?![A-Za-z\d]|\.\d)"
            ),
            say,
            needs=("^",),
        )
    ]


def _chains(words: Mapping[str, Any], numbers: Numbers) -> list[Rule]:
    """Numbers with several points: versions."""
    gap: str = words.get("gap", " ")
    point = f"{gap}{words['address_signs']['.']}{gap}"
    is_sum = r"(?!\d{1,3}(?:\.\d{3})++(?!\.?\d))" if words.get("thousands_sign") == "." else ""
    return [
        Rule(
            re.compile(rf"(?<![\d.]){is_sum}\d+(?:\.\d+){{2,}}+(?!\d)"),
            lambda match: point.join(map(numbers.whole, match[0].split("."))),
            needs=(DIGIT, "."),
        )
    ]


def _number(match: re.Match[str], numbers: Numbers, gap: str) -> str:
    text = match[0]
    is_inside = match["whole"] is None and len(text) > _LONGEST_INSIDE  # of a word: "A4", but digit by digit "京A12345"
    if is_inside or (len(text) > 1 and text.startswith("0") and text.isdecimal()):
        return apart(match, numbers.digits(text), gap=gap)
    return apart(match, numbers.decimal(match["whole"] or text, match["fraction"] or ""), gap=gap)
