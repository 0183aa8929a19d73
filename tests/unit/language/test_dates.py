"""Spoken days and times become ISO dates by code, on a clock of the tenant's zone."""

import tomllib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.language.dates import read_moment
from services.language.moment import Moment, Trouble

DATA = Path(__file__).parents[2] / "data" / "dates"
SAIGON, UTC = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("UTC")
LEAST = {"en": 80, "vi": 80, "ru": 30, "zh": 30}


def cases(language: str) -> list[tuple[str, datetime, str, str]]:
    """Language, the clock there, what is said, what it is."""
    table = tomllib.loads((DATA / f"{language}.toml").read_text(encoding="utf-8"))
    return [
        (language, datetime.fromisoformat(clock["now"]).replace(tzinfo=UTC).astimezone(SAIGON), said, meant)
        for clock in table["clock"]
        for said, meant in clock["said"].items()
    ]


def told(moment: Moment | None) -> str:
    if moment is None:
        return "NONE"
    return moment.trouble.name if moment.trouble else moment.iso


@pytest.mark.parametrize("language", LEAST)
def test_every_expression_is_the_date_it_means(language: str):
    wrong = [
        f"{said!r}: {told(read_moment(said, language, now=now))}, not {meant}"
        for _, now, said, meant in cases(language)
        if told(read_moment(said, language, now=now)) != meant
    ]
    assert wrong == []
    assert len(cases(language)) >= LEAST[language]


def test_the_tenants_day_counts_not_the_servers():
    at_midnight_there = datetime(2026, 11, 29, 17, 0, tzinfo=UTC).astimezone(SAIGON)
    moment = read_moment("tomorrow", "en", now=at_midnight_there)
    assert moment is not None
    assert moment.iso == "2026-12-01"


def test_a_part_of_the_day_is_kept():
    moment = read_moment("chiều thứ sáu", "vi", now=datetime(2026, 11, 30, 9, tzinfo=SAIGON))
    assert moment is not None
    assert (moment.iso, moment.part) == ("2026-12-04", "afternoon")


@pytest.mark.parametrize("said", ["", "?", "99/99", "0000-00-00", "the 0th of May", "9" * 400, "lúc 77 giờ", "第三"])
def test_what_is_no_date_breaks_nothing(said: str):
    for language in ("en", "vi", "ru", "zh", "xx"):
        moment = read_moment(said, language, now=datetime(2026, 11, 30, 9, tzinfo=SAIGON))
        assert moment is None or moment.trouble in (None, *Trouble)
