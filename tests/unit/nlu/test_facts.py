"""An agent's facts are typed; a file that is wrong is refused with its line and field."""

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.nlu.agent.facts import Money, Service, names_in, price_in, text_in
from services.nlu.agent.facts_file import AgentFileError, load_facts, past_exceptions
from services.nlu.agent.profile import read_agents
from services.nlu.agent.yaml_lines import read_yaml
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError

AGENTS = NluSettings().agents_dir
CLINIC = (AGENTS / "clinic.yaml").read_text(encoding="utf-8")
SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")
WEEK = {day: ["08:00-12:00", "13:00-18:00"] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
HOURS = {"weekdays": {**WEEK, "saturday": ["09:00-13:00"], "sunday": []}}


def facts_of(written: str, languages: tuple[str, ...] = ("en",)):
    return load_facts(read_yaml(written)[0], languages=languages)


def test_the_clinics_facts_are_typed():
    agent = read_agents(AGENTS)["clinic"]
    filling = agent.facts.find("filling")
    assert isinstance(filling, Service)
    assert price_in(filling, "en-US") == Money(Decimal(50), "USD")
    assert price_in(filling, "vi") == Money(Decimal(500000), "VND")
    assert names_in(filling.names, "vi-VN")[0] == "trám răng"
    assert [person.id for person in agent.facts.who_does("crown")] == ["lee"]
    assert (agent.facts.free_times[0].weekday, agent.facts.free_times[0].time) == (1, time(10))
    assert text_in(agent.facts.addresses[0].spoken, "en").startswith("25 Nguyen Hue")
    assert agent.zone == SAIGON


@pytest.mark.parametrize(
    ("written", "path", "message"),
    [
        ("[]", "facts", "dictionary"),
        ("services: filling", "facts.services", "tuple"),
        ("services: [{id: a, names: {en: [A], vi: [B]}, colour: red}]", "facts.services.0.colour", "permitted"),
        ("services: [{id: a, names: {en: [A]}}]", "facts.services.0.names", "nothing for vi"),
        ("hours: {weekdays: {monday: []}, of: {en: [front desk]}}", "facts.hours.of", "nothing for vi"),
        ("services: [{id: a, names: {en: [], vi: [B]}}]", "facts.services.0.names.en", "at least 1"),
        ("services: [{id: a, names: {en: [A], vi: [B], ru: [C]}}]", "facts.services.0.names.ru", "no persona"),
        ("services: [{id: a, names: {en: [A], vi: [B]}, minutes: long}]", "facts.services.0.minutes", "integer"),
        ("services: [{id: a, names: {en: [A], vi: [B]}, price: cheap}]", "facts.services.0.price", "dictionary"),
        (
            "services: [{id: a, names: {en: [A], vi: [B]}, price: {en: {amount: -1, currency: USD}}}]",
            "facts.services.0.price.en.amount",
            "greater",
        ),
        (
            "services: [{id: a, names: {en: [A], vi: [B]}, price: {amount: 5, currency: dollars}}]",
            "facts.services.0.price.en.currency",
            "match",
        ),
        ("people: [{id: a, names: {en: [A], vi: [B]}, does: [magic]}]", "facts.people.0.does.0", "no service"),
        ("addresses: [{id: a, spoken: {en: Here}}]", "facts.addresses.0.spoken", "nothing for vi"),
        ("free_times: [{weekday: someday, time: '10:00'}]", "facts.free_times.0.weekday", "no weekday"),
        ("free_times: [{weekday: monday, time: 10:00}]", "facts.free_times.0.time", "in quotes"),
        ("free_times: [{weekday: monday, time: '25:00'}]", "facts.free_times.0.time", "no time of day"),
        ("free_times: [{time: '10:00'}]", "facts.free_times.0", "a weekday or a date"),
        ("free_times: [{date: 2026-02-30, time: '10:00'}]", "facts.free_times.0.date", "no date"),
        ("phones: [{id: a, number: 84123}]", "facts.phones.0.number", "string"),
        ("texts: [{id: a, examples: {en: [A], vi: [B]}, say: {en: A}}]", "facts.texts.0.say", "nothing for vi"),
    ],
)
def test_a_wrong_field_is_named(written: str, path: str, message: str):
    with pytest.raises(AgentFileError) as raised:
        facts_of(written, ("en", "vi"))
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("hours", "path", "message"),
    [
        ({"weekdays": WEEK}, "facts.hours.weekdays", "saturday, sunday is missing"),
        (
            {"weekdays": {**HOURS["weekdays"], "sunday": ["18:00-8:00"]}},
            "facts.hours.weekdays.sunday.0",
            "past midnight",
        ),
        ({"weekdays": {**HOURS["weekdays"], "sunday": ["8-18"]}}, "facts.hours.weekdays.sunday.0", "in quotes"),
        (
            {"weekdays": {**HOURS["weekdays"], "sunday": ["08:00-12:00", "11:00-13:00"]}},
            "facts.hours.weekdays.sunday.1",
            "before the stretch before it ends",
        ),
        (
            {**HOURS, "exceptions": [{"date": "2026-12-25", "hours": []}, {"date": "2026-12-25", "hours": []}]},
            "facts.hours.exceptions.0.date",
            "stands twice",
        ),
        (
            {**HOURS, "exceptions": [{"date": "2027-02-29", "hours": []}]},
            "facts.hours.exceptions.0.date",
            "no date",
        ),
    ],
)
def test_wrong_hours_are_named(hours: dict[str, object], path: str, message: str):
    with pytest.raises(AgentFileError, match=message) as raised:
        load_facts({"hours": hours}, languages=("en",))
    assert str(raised.value).startswith(f"{path}: ")


def test_two_facts_of_one_id_are_refused_over_all_kinds():
    with pytest.raises(AgentFileError, match=r"facts\.people\.0\.id: 'a' is the id of facts\.services\.0 too"):
        facts_of("{services: [{id: a, names: {en: [A]}}], people: [{id: a, names: {en: [B]}}]}")


TWO_CURRENCIES = """
services:
  - {id: a, names: {en: [A]}, price: {en: {amount: 5, currency: USD}}}
  - {id: b, names: {en: [B]}, price: {en: {amount: 5, currency: EUR}}}
"""


def test_prices_in_two_currencies_are_refused_unless_the_file_says_so():
    with pytest.raises(AgentFileError, match=r"facts\.services\.1\.price\.en\.currency: EUR .* currencies: \{en:"):
        facts_of(TWO_CURRENCIES)
    assert len(facts_of(TWO_CURRENCIES + "currencies: {en: [USD, EUR]}").services) == 2


def test_a_price_without_languages_holds_in_all():
    facts = facts_of("services: [{id: a, names: {en: [A], vi: [B]}, price: {amount: 5, currency: USD}}]", ("en", "vi"))
    assert price_in(facts.services[0], "vi") == Money(Decimal(5), "USD")


def test_a_file_names_line_and_field(tmp_path: Path):
    old = "minutes: 60"
    line = next(n for n, text in enumerate(CLINIC.splitlines(), start=1) if old in text)
    (tmp_path / "clinic.yaml").write_text(CLINIC.replace(old, "minutes: soon"), encoding="utf-8")
    with pytest.raises(StartupError, match=rf"clinic\.yaml: line {line}: facts\.services\.4\.minutes: "):
        read_agents(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timezone: Asia/Ho_Chi_Minh", "timezone: Asia/Saigonn", r"line \d+: timezone: 'Asia/Saigonn' is none"),
        ("  people:\n", "  services: []\n  people:\n", r"services stands here and in line"),
    ],
)
def test_a_wrong_zone_and_a_key_that_stands_twice_are_refused(tmp_path: Path, old: str, new: str, message: str):
    assert old in CLINIC
    (tmp_path / "clinic.yaml").write_text(CLINIC.replace(old, new), encoding="utf-8")
    with pytest.raises(StartupError, match=message):
        read_agents(tmp_path)


def test_a_holiday_in_the_past_changes_nothing_and_is_told():
    hours = {**HOURS, "exceptions": [{"date": date(2020, 12, 25), "hours": []}, {"date": "2030-12-25", "hours": []}]}
    facts = load_facts({"hours": hours}, languages=("en",))
    assert past_exceptions(facts, date(2026, 11, 29)) == (date(2020, 12, 25),)


def at(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=SAIGON)


def hours_of(exceptions: list[dict[str, object]]):
    hours = load_facts({"hours": {**HOURS, "exceptions": exceptions}}, languages=("en",)).hours
    assert hours is not None
    return hours


def test_hours_know_holidays_breaks_and_weekends():
    hours = hours_of([{"date": "2026-12-25", "hours": []}, {"date": "2026-12-26", "hours": ["10:00-11:00"]}])
    assert hours.is_open(at("2026-11-30 08:00"))
    assert not hours.is_open(at("2026-11-30 12:00"))
    assert not hours.is_open(at("2026-11-30 18:00"))
    assert not hours.is_open(at("2026-12-25 10:00"))  # a Friday
    assert hours.is_open(at("2026-12-26 10:30"))
    assert hours.next_open(at("2026-12-25 10:00")) == at("2026-12-26 10:00")
    assert hours.next_open(at("2026-11-29 23:30")) == at("2026-11-30 08:00")
    assert hours.next_open(at("2026-11-30 09:15")) == at("2026-11-30 09:15")
    assert hours.open_dates(date(2026, 12, 24), count=3) == (date(2026, 12, 24), date(2026, 12, 26), date(2026, 12, 28))


def test_the_nearest_open_times_lie_on_both_sides_and_never_before_now():
    hours = hours_of([])
    sunday = datetime(2026, 12, 6, 10)
    before, behind = datetime(2026, 12, 5, 9), datetime(2026, 12, 7, 8)
    assert hours.around(sunday, after=datetime(2026, 12, 1, 7)) == (before, behind)
    assert hours.around(sunday, after=datetime(2026, 12, 5, 14)) == (behind,)
