"""The schema of the reading.toml of a language that has no code of its own, checked before the first call. Sans-IO."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from services.language.data import LanguageDataError


@dataclass(frozen=True, slots=True)
class _Text:
    """A text: with some characters, and with these parts in braces at most."""

    parts: tuple[str, ...] | None = None  # None: braces stand for themselves
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True)
class _List:
    """A list of one shape; `lengths`: how many there may be, any number where it is empty."""

    of: Any
    lengths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Table:
    """A table with words of the language for keys; `keys`: those that it may have, any where it is empty."""

    of: Any
    keys: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()


_TEXT = _Text()
_GAP = _Text(may_be_empty=True)
_TEXTS = _List(_TEXT)
_WORDS = _Table(_TEXT)
_FORMS = _List(_TEXT, (1, 2, 4))
_CLOCK = _Text(("hour", "minute"))
_SPANS = _List(_List(_TEXT, (4,)))
_NUMBER = 1
_FLAG = True

_INFLECTED_DATES = {
    **dict.fromkeys(("days", "days_genitive", "days_dative", "years", "year"), _TEXT),
    **dict.fromkeys(("dative_behind", "nominative_behind", "year_marks"), _TEXTS),
    "months": _List(_TEXT, (12,)),
    "spans": _SPANS,
}
_FIGURE_DATES = {"with_year": _Text(("day", "month", "year")), "year_mark": _TEXT}

_SHAPE: Mapping[str, Any] = {  # a mark of interrogation behind a key: it may be missing
    "digits": _List(_TEXT, (10,)),
    "phone_digits?": _List(_TEXT, (10,)),
    **dict.fromkeys(("point", "point_signs", "plus", "minus", "range", "hash"), _TEXT),
    **dict.fromkeys(("stroke?", "cardinal?", "feminine?", "times_sign?", "thousands_sign?", "mixed?"), _TEXT),
    **dict.fromkeys(("gap?", "ratio?", "percent_before?"), _GAP),
    "percent?": _FORMS,
    **dict.fromkeys(
        (
            *("short_code_words?", "code_words?", "code_words_behind?", "code_endings?", "code_links?", "copulas?"),
            *("list_words?", "counted_things?", "split_units?"),
        ),
        _TEXTS,
    ),
    "decimals?": {"whole": _List(_TEXT, (2,)), "parts": _List(_List(_TEXT, (2,)))},
    "fraction?": _Text(("upper", "lower")),
    "fractions?": {"upper": _TEXT, "one": _TEXT, "many": _TEXT},
    "two?": {"spoken": _TEXT, "not_behind": _TEXTS, "ranged": _TEXTS, "before": _TEXTS},
    "genitive?": {"before": _TEXTS, "m": _TEXT, "f": _TEXT, "signs?": _WORDS},
    "dative?": {"before": _TEXTS, "m": _TEXT},
    "genders?": _List({"ends": _TEXT, "nouns": _TEXTS, "ruleset": _TEXT, "behind?": _TEXTS}),
    "cases?": _List({"nouns": _TEXTS, "ruleset": _TEXT}),
    "cardinals?": _List({"endings": _TEXTS, "ends": _TEXT, "is_parted": _FLAG, "ruleset": _TEXT}),
    "no_nouns?": _TEXTS,
    "years?": {
        **dict.fromkeys(("short", "alone", "behind_in", "many?"), _TEXT),
        **dict.fromkeys(("in", "short_many?"), _TEXTS),
        "spans": _SPANS,
        "forms": _Table(_TEXTS),
        "towards?": {"before": _TEXTS, "ruleset": _TEXT},
    },
    "compounds?": {"ruleset": _TEXT, "shortest": _NUMBER, "forms": _WORDS},
    "decades?": {"nouns": _TEXTS, "endings": _WORDS},
    **dict.fromkeys(
        ("ordinal_nouns?", "weekdays?", "ordinals?", "idioms?", "abbreviations?", "numbered?", "named?", "per?"), _WORDS
    ),
    "number_spelling?": _Table(_GAP),
    "phone_groups?": _Table(_Table(_List(_NUMBER))),
    "times": {"plain": _CLOCK, "low": _CLOCK, "sharp": _CLOCK, "hours?": _WORDS, "second?": _FORMS},
    "dates?": None,  # one of the two above
    "currencies": _Table(_FORMS),
    "units": _Table(_FORMS),
    "cents?": _Table(_FORMS),
    "scales?": _Table(_FORMS),
    "keys": _Table(_TEXT, keys=("#", "*", "^", "★", "<", ">", "~", "≈", "≤", "≥")),
    "signs": _WORDS,
    "address_signs": _Table(_TEXT, needed=("@", ".", "-", "_", "/")),
}


def check_shape(file: str, table: Mapping[str, Any]) -> None:
    """Raise LanguageDataError for the first key of a reading.toml that rules could not be made of."""
    _check(f"{file}: ", table, _SHAPE)
    if "dates" in table:
        dates = table["dates"]
        is_inflected = isinstance(dates, Mapping) and "days" in dates
        _check(f"{file}: dates.", dates, _INFLECTED_DATES if is_inflected else _FIGURE_DATES)
    years = table.get("years", {})
    for key in ("alone", "behind_in"):
        if years and not years["forms"].get(years[key]):
            raise LanguageDataError(f"{file}: years.{key} is none of years.forms")
    for pattern, spoken in table.get("number_spelling", {}).items():
        try:
            re.compile(f"{pattern}|").sub(spoken, "")  # matches, so that what it becomes is read too
        except (re.error, IndexError) as error:
            raise LanguageDataError(f"{file}: {spoken!r} of {pattern!r} in 'number_spelling': {error}") from error


def _check(where: str, value: Any, shape: Any) -> None:
    """`where`: file and keys, with ": " or "." at its end."""
    name = where.rstrip(".: ")
    match shape:
        case _Text():
            _check_text(name, value, shape)
        case bool():
            if not isinstance(value, bool):
                raise LanguageDataError(f"{name} is true or false")
        case int():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise LanguageDataError(f"{name} is a whole number above 0")
        case _List():
            if not isinstance(value, list) or (shape.lengths and len(value) not in shape.lengths):
                number = " or ".join(map(str, shape.lengths))
                raise LanguageDataError(f"{name} is a list{f' of {number}' if number else ''}")
            for at, each in enumerate(value, 1):
                _check(f"{name}, entry {at}: ", each, shape.of)
        case _Table():
            _check_table(where, value, shape)
        case Mapping():
            _check_fields(where, value, shape)


def _check_text(name: str, value: Any, shape: _Text) -> None:
    if not isinstance(value, str) or not (value or shape.may_be_empty):
        raise LanguageDataError(f"{name} is a text{'' if shape.may_be_empty else ' that is not empty'}")
    if shape.parts is None:
        return
    try:
        parts = {part for _, part, _, _ in Formatter().parse(value) if part is not None}
    except ValueError as error:
        raise LanguageDataError(f"{name}: {error}") from error
    if unknown := parts - set(shape.parts):
        raise LanguageDataError(f"{name} has no part {{{min(unknown)}}}")


def _check_table(where: str, value: Any, shape: _Table) -> None:
    if not isinstance(value, Mapping):
        raise LanguageDataError(f"{where.rstrip('.: ')} is a table")
    for key in shape.needed:
        if key not in value:
            raise LanguageDataError(f"{where}{key} is missing")
    for key, each in value.items():
        if shape.keys and key not in shape.keys:
            raise LanguageDataError(f"{where}{key} is none of {' '.join(shape.keys)}")
        _check(f"{where}{key}.", each, shape.of)


def _check_fields(where: str, value: Any, shape: Mapping[str, Any]) -> None:
    if not isinstance(value, Mapping):
        raise LanguageDataError(f"{where.rstrip('.: ')} is a table")
    known = {key.rstrip("?"): key for key in shape}
    for key, written in known.items():
        if key not in value and not written.endswith("?"):
            raise LanguageDataError(f"{where}{key} is missing")
    for key, each in value.items():
        if key not in known:
            raise LanguageDataError(f"{where}{key} is no key of this file")
        _check(f"{where}{key}.", each, shape[known[key]])
