"""One way of writing and the words for it."""

import re
import unicodedata
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.language.data import LanguageDataError, cached, languages, primary, read, refuse_doubles, where
from services.language.reading.spoken import Rewrite


def letter(words: Mapping[str, Any]) -> str:
    """A pattern for a letter beside which a number does not stand apart, in a language with these words.

    Han needs no space. In a language with spaces the normaliser hides it from the rules, so that patterns need no
    large class of characters, each of which takes 0.5 ms to compile.
    """
    return r"[^\W\d_]" if words.get("gap", " ") else r"[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]"


def letter_or_digit(words: Mapping[str, Any]) -> str:
    """The same for a letter, a digit or an underscore."""
    return r"\w" if words.get("gap", " ") else rf"[\d_{letter(words)[1:]}"


class Rewriter(Protocol):
    """What knows how to say something of a text."""

    @property
    def needs(self) -> Sequence[str]:
        """Groups of signs: a text without a sign of each of them has nothing to be said. See `may_match`."""
        ...

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        ...


Lists = Mapping[str, Container[str]]
"""By the name of a group: the words that it may have matched."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and what is said for its matches; where `say` returns None, later rules are asked.

    A match counts only when the text of each group in `lists` is one of the words of its list. `needs` tells most texts
    that cannot match without a search, see `may_match`.
    """

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]
    lists: Lists = field(default_factory=dict)
    needs: Sequence[str] = ()

    def apply(self, text: str) -> Iterator[Rewrite]:
        """Every place in `text` it speaks for."""
        for match in matches(self.pattern, text, self.lists):
            spoken = self.say(match)
            if spoken is not None and match.end() > match.start():
                yield Rewrite(match.start(), match.end(), spoken)


DIGIT = "0"
"""In `needs`: any decimal digit of any script."""
DASHES = "-–—"


def signs_in(text: str) -> set[str]:
    """The code points of a text, and `DIGIT` where one of them is a decimal digit."""
    signs = set(text)
    if any(sign.isdecimal() for sign in signs):
        signs.add(DIGIT)
    return signs


def may_match(needs: Sequence[str], signs: set[str]) -> bool:
    """Of a text with these `signs_in` it: it has one of each group in `needs`. A fortieth of what a search takes."""
    return not any(map(signs.isdisjoint, needs))


def matches(pattern: re.Pattern[str], text: str, lists: Lists) -> Iterator[re.Match[str]]:
    """The matches of a pattern that do not overlap and whose groups are words of their lists."""
    if not lists:
        yield from pattern.finditer(text)
        return
    at = 0
    while match := pattern.search(text, at):
        at = match.end()
        for group, words in lists.items():
            found = match[group]
            if found is not None and found not in words:
                if not match[0].isalpha():  # of one word nothing is left to be found
                    at = match.start() + 1
                break
        else:
            yield match


class AnyCase(frozenset[str]):
    """Words that are found in any case."""

    def __new__(cls, words: Iterable[str]) -> "AnyCase":
        """The words in lower case."""
        return super().__new__(cls, (word.lower() for word in words))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and frozenset.__contains__(self, word.lower())


class _Table(dict[str, Any]):
    """A table of a reading.toml, which names what is missing in it."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        super().__init__(
            {key: _Table(f"{where}{key}.", value) if isinstance(value, dict) else value for key, value in table.items()}
        )
        self._where = where

    def __missing__(self, key: str) -> Any:
        raise LanguageDataError(f"{self._where}{key} is missing")


@cached
def words_of(language: str) -> Mapping[str, Any]:
    """What a language says of reading aloud: its `reading.toml`. Raises LanguageDataError for what is wrong in it."""
    table = read(language, "reading")
    file = where(language, "reading")
    for key, found in table.items():
        if isinstance(found, list):
            _check_list(file, key, found)
        elif isinstance(found, dict):
            refuse_doubles(found, f"{file}: {{!r}} stands twice in {key!r}", folded=False)
            for word, forms in found.items():
                if not word.strip() and key not in _WITHOUT_WORDS:
                    raise LanguageDataError(f"{file}: {key!r} has an empty word")
                if key in _COUNTED:
                    _check_forms(f"{file}: {f'{key}.{word}'!r}", forms, table.get("genitive"))
                if key in _SAID and not isinstance(forms, str):
                    raise LanguageDataError(f"{file}: {key!r} says of {word!r} no words, but {forms!r}")
    for key in ("code_links", "number_spelling"):
        found = table.get(key, ())
        for pattern in found if isinstance(found, list | tuple | dict) else (found,):
            if not isinstance(pattern, str):
                raise LanguageDataError(f"{file}: {key!r} holds what is no pattern")
            try:
                re.compile(pattern)
            except re.error as error:
                raise LanguageDataError(f"{file}: {pattern!r} in {key!r} does not compile: {error}") from error
    return _Table(f"{file}: ", table)


_COUNTED = ("units", "currencies", "scales", "cents")
_SAID = ("abbreviations", "numbered", "named", "idioms", "per", "keys", "signs", "address_signs")
_WITHOUT_WORDS = ("phone_groups", "plurals")  # "" is any number, and a word without an ending of its own
_FORMS = (1, 2, 4)  # a word; one and many; one, few, many and the gender, or one and many with one and many hundredths


def _check_list(file: str, key: str, found: list[Any]) -> None:
    words = [word for word in found if isinstance(word, str)]
    is_folded = key.endswith("_words")  # looked for in any case
    if is_folded and not all(word.strip() for word in words):
        raise LanguageDataError(f"{file}: {key!r} has an empty word")
    refuse_doubles(words, f"{file}: {{!r}} stands twice in {key!r}", folded=is_folded)
    if key in ("digits", "phone_digits") and len(words) != len("0123456789"):
        raise LanguageDataError(f"{file}: {key!r} has ten words, zero first")
    if key == "months" and len(words) != 12:
        raise LanguageDataError(f"{file}: 'months' has twelve words")


def _check_forms(named: str, forms: object, genders: Mapping[str, Any] | None) -> None:
    if isinstance(forms, str):
        return
    if not isinstance(forms, list) or not all(isinstance(form, str) for form in forms):
        raise LanguageDataError(f"{named} is a word or a list of its forms, not {forms!r}")
    if len(forms) not in _FORMS:
        raise LanguageDataError(f"{named} has one, two or four forms")
    if genders is not None and len(forms) == _FORMS[-1] and forms[-1] not in genders:
        raise LanguageDataError(f"{named} has the gender {forms[-1]!r}, which 'genitive' lacks")


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, longest first; for none it matches nothing."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)"


def shape_of(words: Collection[str]) -> str:
    """A pattern for each of the words, and for any other run of letters: `Rule.lists` tells which of them counts.

    Compiling a list of words takes 2 microseconds a letter, and several rules need the same list. A word's edge stands
    before and behind such a pattern. What is no run of letters, such as "km/h", is listed, before the letters.
    """
    listed = [word for word in words if not word.isalpha()]
    plain = [word for word in words if word.isalpha()]
    lengths = [len(word) for word in plain]
    start = "(?=[A-Z])" if all("A" <= word[0] <= "Z" for word in plain) else ""
    letters = rf"{start}[^\W\d_]{{{min(lengths)},{max(lengths)}}}+" if lengths else ""
    return f"(?:{'|'.join(filter(None, (any_of(listed) if listed or not letters else '', letters)))})"


def signs_of(words: Iterable[str]) -> str:
    """A pattern for each of the signs and codes, "US$" or "EUR", and for any that look alike: `Rule.lists` tells them.

    A branch for each takes the compiler as long as the rest of a rule, and eight rules have them.
    """
    shapes: dict[str, int] = {}
    single = ""
    for word in words:
        if len(word) == 1:
            single += word
        else:
            shapes[_CAPITALS.sub(lambda run: f"[A-Z]{{{len(run[0])}}}", re.escape(word))] = len(word)
    longest_first = sorted(shapes, key=lambda shape: -shapes[shape])
    return f"(?:{'|'.join([*longest_first, *([one_of(single)] if single else [])]) or '(?!)'})"


def listed(known: Collection[str], words: Mapping[str, Any]) -> str:
    """`shape_of` these words in a language that parts words by spaces, else any of them; `Rule.lists` fits both."""
    return shape_of(known) if words.get("gap", " ") else any_of(known)


_CAPITALS = re.compile("[A-Z]+")


def one_of(signs: str) -> str:
    """A pattern for one of the signs, which stand for themselves.

    A set of characters with some below U+0100 and some above takes the compiler 0.2 ms. Apart they take a tenth of it,
    and "{1}" keeps the compiler from joining them.
    """
    low, high = (re.escape("".join(sign for sign in signs if (sign < "\u0100") is is_low)) for is_low in (True, False))
    return rf"(?:[{low}]|[{high}]{{1}})" if low and high else f"[{low or high}]"


APOSTROPHES, QUOTES = "'’′", '"”″'
APOSTROPHE, INCHES = one_of(APOSTROPHES), one_of(QUOTES)
SIGN = one_of("$€£¥₽₫")
"""Of a currency, before or behind a number."""

ROMAN = r"(?=[XVI])(?>X{0,3}(?:IX|IV|V?I{0,3}))"
"""A pattern for 1 to 39 in Roman numerals; L, C, D and M stand alone for other things too: "Type C"."""

_ROMAN_DIGITS = {"X": 10, "V": 5, "I": 1}


def roman(numeral: str) -> int:
    """The value of a numeral that `ROMAN` matches."""
    values = [_ROMAN_DIGITS[letter] for letter in numeral]
    behind = [*values[1:], 0]
    return sum(-value if value < next_value else value for value, next_value in zip(values, behind, strict=True))


VULGAR_SIGNS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
VULGAR = f"[{VULGAR_SIGNS}]"
"""Fractions in one sign."""


def vulgar_fraction(sign: str) -> tuple[int, int]:
    """The two numbers of such a sign: 1 and 2 for "½"."""
    upper, _, lower = unicodedata.normalize("NFKC", sign).partition("\u2044")
    return int(upper), int(lower)


def idiom_rule(idioms: Mapping[str, str]) -> Rule:
    """What is said in a way of its own: "24/7"."""
    return Rule(
        re.compile(rf"(?<![\w/.$£-])(?<!€)(?:{any_of(idioms)})(?![\w/%-]|[.,]\d)"), lambda match: idioms[match[0]]
    )


def times_rules(by: str, times: str = "") -> list[Rule]:
    """An x between two measures, "3 x 4", and behind a number where `times` is given: "2x a day"."""

    def say(match: re.Match[str]) -> str:
        before, after = match[0][0].isspace(), match[0][-1].isspace()
        is_behind_a_sign = not match.string[: match.start()][-1:].isalnum()
        return f"{' ' if before or is_behind_a_sign else ''}{by}{' ' if after or is_behind_a_sign else ''}"

    return [
        Rule(_BY, say, needs=(DIGIT, "x")),
        *([Rule(_TIMES, lambda _: times, needs=(DIGIT, "x"))] if times else []),
    ]


_BY = re.compile(
    r"(?<=\d)\s?x\s?(?=\d)|(?<=\d\w)\sx\s(?=\d)|(?<=\d\w\w)\sx\s(?=\d)|(?<=[^\W\d])\sx\s(?=\d)"
    rf"|(?:(?<=\d{INCHES})|(?<=\d{APOSTROPHE}))\s?x\s?(?=\d)"
)
_TIMES = re.compile(r"(?<=\d)x(?!\w)")


def apart(match: re.Match[str], words: str, *, gap: str = " ") -> str:
    """The words, kept apart from a letter or digit written right beside them: "A12" is "A twelve"."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{gap if _is_word(before) else ''}{words}{gap if _is_word(after) else ''}"


def _is_word(character: str) -> bool:
    """A letter or a digit; no sign such as "²"."""
    return character.isalpha() or character.isdecimal()


def with_lost_dot(match: re.Match[str], words: str) -> str:
    """A dot that ended word and sentence at once still ends the sentence."""
    return f"{words}." if match[0].endswith(".") and not match.string[match.end() :].strip() else words


def key_rules(keys: Mapping[str, str], *, gap: str = " ") -> list[Rule]:
    """The keys # and * and the signs ^ ★ < > ~ where they are meant: beside a digit, or a key alone in a sentence."""

    def saying(spoken: str, end: str) -> Callable[[re.Match[str]], str]:
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


_LONGEST_UNIT = 16  # code points of a number's end and its unit
DASH = rf"\s?{one_of('-–—~～')}\s?"


_ENDS_OF_RANGE = re.compile(r"(?:\d(?:[^\W\d_]{1,2})?|[%°])\.?$")
_RATES = re.compile(r"(?:/[^\W\d_]+\.?)+$")
_COUNTED_BEHIND = re.compile(r"\d\s?[^\W\d_]+[.²³]?(?:\s[^\W\d_]+)?(?:/[^\W\d_]+\.?)*$")
_PRICE = re.compile(rf"{SIGN}\s?[\d.,]+(?:[ \u00a0\u202f]\d{{3}})*(?:{DASH}{SIGN}?[\d.,]+)?$")


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
        before = match.string[max(0, match.start() - _LONGEST_UNIT) : match.start()]
        return to if _ENDS_OF_RANGE.search(before) or _ends_counted(before, known) else None

    return Rule(_RANGE, say, needs=(DIGIT, f"{DASHES}~～"))


_RANGE = re.compile(rf"(?:(?<=[\w%°²³$£¥.])|(?<=[€₽₫])){DASH}(?={SIGN}?\d)")


def per_rule(per: Mapping[str, str], priced: Iterable[str], *, gap: str = " ", others: str = "") -> Rule:
    """The stroke of a price and of a rate: "$5/month", "2 times/day", "10 mg/kg/day".

    `per` has what is said for the stroke and a word that measures; it holds behind any word that is counted. Behind the
    units and currencies `priced` `others` are said of every other word, where given: "one" in "50k/dish".
    """
    known = tuple(priced)
    in_one = [unit for unit in known if "/" in unit]  # "km/h" has its own words

    def say(match: re.Match[str]) -> str | None:
        before = match.string[max(0, match.start() - 2 * _LONGEST_UNIT) : match.start()]
        unit, end = match["unit"], match.end()
        if any(match.string.startswith(one, end - len(one)) for one in in_one):
            return None
        is_measured = _ends_counted(_RATES.sub("", before), known) or _PRICE.search(before) is not None
        if unit in per and (is_measured or _COUNTED_BEHIND.search(before)):
            return f"{gap}{per[unit]}"
        return f"{gap}{others}{gap}{unit}" if others and is_measured else None

    if not gap:
        return Rule(re.compile(rf"(?<=\S)/(?P<unit>{any_of(per)})(?![A-Za-z])"), say, needs=("/",))
    if others:
        listed = any_of(word for word in per if not word.isalpha())
        return Rule(re.compile(rf"(?<=\S)/(?P<unit>{listed}|[^\W\d_]+)(?!\w)"), say, needs=("/",))
    return Rule(re.compile(rf"(?<=\S)/(?P<unit>{shape_of(per)})(?!\w)"), say, {"unit": per}, ("/",))


def full_year(written: int) -> int:
    """A year written with two digits: 85 is 1985, 24 is 2024."""
    return written if written >= 100 else written + (2000 if written < _FIRST_OF_LAST_CENTURY else 1900)


_FIRST_OF_LAST_CENTURY = 50


def gap_of_score(match: re.Match[str], gap: str = " ") -> str:
    """What parts the two numbers of a score: "10:1" is not to be heard as eleven."""
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
            lambda match: numbered[match["word"]] + ("" if _is_word(match[0][-1]) else " "),
            needs=(DIGIT,),
        ),
        Rule(
            re.compile(rf"(?<!\w)(?P<word>{any_of(named)})\s?(?=[^\W\d_][^\W_])"),
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


def vocabulary(language_code: str) -> list[str]:
    """Every word that a language's `reading.toml` says, sorted; none for a language without a folder."""
    language = primary(language_code)
    if language not in languages():
        return []
    found: set[str] = set()

    def gather(value: object) -> None:
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, Mapping):
            for one in value.values():
                gather(one)
        elif isinstance(value, list):
            for one in value:
                gather(one)

    gather(read(language, "reading"))
    return sorted(found)
