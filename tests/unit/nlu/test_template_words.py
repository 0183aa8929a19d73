"""Every template of every language passes the guard where what is put into it is so: words of code are checked too."""

import json
import string
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest

from services.language import data
from services.nlu.agent.evidence import Evidence
from services.nlu.agent.facts import names_in, price_in, text_in
from services.nlu.agent.graph.templates import FILE, Templates
from services.nlu.agent.guarding import guard_of
from services.nlu.agent.profile import AgentProfile, read_agents
from services.nlu.clauses import ClauseCutter
from services.nlu.guarded_reply import PUT_DOWN
from services.nlu.settings import NluSettings

PROFILES = read_agents(NluSettings().agents_dir)
GUARDS = {agent: guard_of(PROFILES[agent]) for agent in ("clinic", "hotel")}
NOW = datetime(2026, 11, 30, 17, 47)  # a Monday
ASKED = {  # what the caller said, by language: templates that say it again
    "en": "On Thursday, please. My name is Anna Bell, 0912 345 678.",
    "vi": "Thứ Năm nhé. Tôi tên là Lan, 0912 345 678.",
    "ru": "В четверг. Меня зовут Анна, 0912 345 678.",
    "zh": "星期四。我叫安娜，0912 345 678。",
}
NAME = {"en": "Anna Bell", "vi": "Lan", "ru": "Анна", "zh": "安娜"}
DONE = {"handover": "transfer", "language_yes": "switch_language"}  # promises whose act is asked for in the turn
RESULTS = {
    "booked": "clinic_book",
    "moved": "clinic_move",
    "cancelled": "clinic_cancel",
    "deed_noted": PUT_DOWN,
    "deed_noted_message": PUT_DOWN,
}  # deeds, by the tool whose result speaks for them
HELD = datetime(2026, 12, 4, 16, 30)  # an appointment
LOOKED_UP = (json.dumps({"appointments": [f"{HELD:%Y-%m-%dT%H:%M}"]}),)
NIGHT = {
    "en": "Are you open on Monday at 3 a.m.?",
    "vi": "Thứ Hai lúc 3 giờ sáng có mở cửa không?",
    "ru": "Вы открыты в понедельник в 3 часа ночи?",
    "zh": "星期一凌晨三点营业吗？",
}


def fillings(profile: AgentProfile, code: str) -> dict[str, str]:
    """The texts that the templates are filled with, all of them true of the agent."""
    facts, words = profile.facts, Templates(code)
    assert facts.hours is not None
    priced = next(service for service in facts.services if price_in(service, code))
    timed = next(service for service in facts.services if service.minutes)
    person = facts.people[0]
    price = price_in(priced, code)
    assert price is not None
    named = [names_in(one.names, code)[0] for one in facts.services]
    free = [words.at(words.weekday(one.weekday or 0), one.time) for one in facts.free_times]
    return {
        "total": str(price.amount),
        "week": words.week(facts.hours),
        "of": next(iter(names_in(facts.hours.of, code)), words.say("unknown")),
        "on_day": words.on(words.weekday(0)),
        "spans": words.spans(facts.hours.weekdays[0]),
        "day": words.weekday(0),
        "time": words.time(facts.hours.weekdays[0][0].closes),
        "a_service": words.thing(names_in(priced.names, code)[0]),
        "timed": words.thing(names_in(timed.names, code)[0]),
        "price": words.money(price),
        "services": words.all_of(named[:3]),
        "minutes": str(timed.minutes),
        "address": text_in(facts.addresses[0].spoken, code),
        "person": names_in(person.names, code)[0],
        "people": names_in(person.names, code)[0],
        "thing": next(names_in(one.names, code)[0] for one in facts.services if one.id in person.does),
        "things": words.all_of(
            names_in(one.names, code)[0] for one in facts.services if one.id in person.does and one.id != "general"
        ),
        "times": words.all_of(free),
        **compared(profile, code),
        "topics": words.all_of(list(words.kinds.values())[:3]),
        "languages": words.all_of(words.languages[tag] for tag in profile.language_codes),
        "language": words.languages[code],
        "kinds": words.one_of(list(words.kinds.values())[:2]),
        "date": words.date(NOW.date()),
        "when": words.weekday(3),
        "old": words.at(words.date(HELD.date()), HELD.time()),
        "name": NAME[code],
        "wish": f"{named[0]}, {words.weekday(3)}, {NAME[code]}, 0 912 345 678",
    }


def compared(profile: AgentProfile, code: str) -> dict[str, str]:
    """The texts that comparisons are filled with."""
    facts, words = profile.facts, Templates(code)
    prices = {one.id: price for one in facts.services if (price := price_in(one, code))}
    by_price = sorted((one for one in facts.services if one.id in prices), key=lambda one: prices[one.id].amount)
    things = {one.id: words.thing(names_in(one.names, code)[0]) for one in facts.services}
    cheapest, dearest = by_price[0], by_price[-1]
    return {
        "n": str(len(facts.people)),
        "a": things[dearest.id],
        "b": things[cheapest.id],
        "more": words.money(prices[dearest.id]),
        "less": words.money(prices[cheapest.id]),
        "items": things[cheapest.id],
        "on_days": words.on(words.weekday(0)),
    }


def of_comparison(  # noqa: PLR0911 - a table
    name: str, profile: AgentProfile, code: str, given: dict[str, str]
) -> dict[str, str]:
    """The fillings of one comparison's template, so that what it says is so."""
    words, facts = Templates(code), profile.facts
    assert facts.hours is not None
    lengths = sorted((one for one in facts.services if one.minutes), key=lambda one: one.minutes or 0)
    thing = {one.id: words.thing(names_in(one.names, code)[0]) for one in facts.services}
    match name:
        case "opens_first":
            return {"time": words.time(facts.hours.weekdays[0][0].opens)}
        case "dearest":
            return {"items": given["a"], "price": given["more"]}
        case "cheapest":
            return {"price": given["less"]}
        case "prices_same":
            return {"a": given["b"], "price": given["less"]}
        case "takes_longest" | "takes_shortest":
            return {"items": thing[lengths[-1].id], "minutes": str(lengths[-1].minutes)}
        case "takes_longer" | "lengths_same":
            longest, shortest = lengths[-1], lengths[0] if name == "takes_longer" else lengths[-1]
            pair = {"a": thing[longest.id], "b": thing[shortest.id]}
            return pair | {"more": str(longest.minutes), "less": str(shortest.minutes)}
    return {}


def templates() -> Iterator[tuple[str, str, str]]:
    for agent in ("clinic", "hotel"):
        for code in PROFILES[agent].language_codes:
            for table in ("say", "ask"):
                for key in data.table(code, FILE, table):
                    yield agent, code, f"{table}.{key}"


@pytest.mark.parametrize(("agent", "code", "key"), list(templates()))
def test_a_template_with_what_is_so_passes_the_guard(agent: str, code: str, key: str) -> None:
    profile = PROFILES[agent]
    table, _, name = key.partition(".")
    template = str(data.table(code, FILE, table)[name])
    slots = {slot for _, slot, _, _ in string.Formatter().parse(template) if slot}
    given = fillings(profile, code)
    if name == "today":
        given["time"] = Templates(code).time(NOW.time())
    if name in ("closed_on", "closed_holiday", "hours_holiday") or (name.startswith("free") and not given["times"]):
        return  # no such day or time in every file: test_graph_agent has them
    given |= of_comparison(name, profile, code, given)
    if "duration" in name:
        given["a_service"] = given["timed"]
    total = given.pop("total")
    now = NOW
    if name == "closed_now":
        now = NOW.replace(hour=23, minute=30)
    said = [ASKED[code]] if slots & {"when", "name", "wish"} else []
    templates = Templates(code)
    text = templates.say(name, **given) if table == "say" else templates.ask(name, **given)
    if name in ("open_no", "closed_then"):
        said = [NIGHT[code]]
    computed = {
        "sum": (Decimal(total),),
        "gap": (Decimal(total),),
        "count_people": (Decimal(len(profile.facts.people)),),
    }.get(name, ())
    asked = frozenset({DONE[name]} if name in DONE else ())
    done = frozenset({RESULTS[name]} if name in RESULTS else ())
    cutter = ClauseCutter()
    reply = waiting = ""
    clauses = [clause.text for clause in cutter.push(text + " ") + cutter.finish()]
    for at, clause in enumerate(clauses):
        whole, waiting = waiting + clause, ""
        evidence = Evidence(
            caller=tuple(said), reply=reply, tools=LOOKED_UP, asked=asked, done=done, computed=computed, now=now
        )
        verdict = GUARDS[agent].check(whole, language=code, evidence=evidence)
        if not verdict.ok and verdict.may_mend and at + 1 < len(clauses):
            waiting = whole
            continue
        assert verdict.ok, (whole, verdict)
        reply += whole
