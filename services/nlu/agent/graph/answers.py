"""Answers from the agent's facts alone. Sans-IO: `now` is given, a finding comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum

from services.language import data
from services.language.calendar_words import PARTS
from services.language.data import primary
from services.language.dates import Trouble
from services.language.words import normalise
from services.nlu.agent.facts import Money, Person, Service, Topic, names_in, price_in, text_in
from services.nlu.agent.graph.asking import FILE, TEXT_KIND
from services.nlu.agent.graph.comparing import Comparing
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.reading import UNKNOWN, Part, is_text
from services.nlu.agent.graph.slots import Found, SlotFinder, When, has_any, unexplained
from services.nlu.agent.graph.wishes import Wishes
from services.nlu.agent.graph.wording import Wording
from services.nlu.agent.opening_hours import DAYS_IN_WEEK, Interval, OpeningHours
from services.nlu.agent.profile import AgentProfile
from services.nlu.outputs import Act, SwitchLanguage, Transfer

_DAYS_BY_WEEKDAY = 2  # more of them are answered with the whole week
_SAID_BY_WEEKDAY = timedelta(days=DAYS_IN_WEEK)  # a date within these is called by its weekday
_LONGEST_LIST = 6
_MINUTES_IN_HOUR = 60
_OF_DATES = frozenset({"hours", "free", "tampering"})  # that say themselves what an impossible date is answered with
_LEAST_OPEN_MIN = 120  # of an afternoon, for a yes to "are you open in the afternoon?"
_SHIFTS = {"before": -1, "after": 1}  # minutes: open "before nine" is open just before it
_FEW_STRANGE = 2  # unknown words that make another question of "who sees children?"


class Next(Enum):
    """Which node of the graph words a finding."""

    ANSWER = "answer"
    ASK = "ask"
    CONFIRM = "confirm"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked up for one part of a turn."""

    text: str
    dialogue: Dialogue
    next: Next = Next.ANSWER
    act: Act | None = None
    computed: tuple[Decimal, ...] = ()  # what was reckoned for it


class Answers:
    """One agent's answers in one language."""

    def __init__(
        self, profile: AgentProfile, language_code: str, finder: SlotFinder, wishes: Wishes | None = None
    ) -> None:
        """`wishes` in place of those of which nothing is booked."""
        self._profile, self._facts, self._language, self._finder = profile, profile.facts, language_code, finder
        self._words = Wording(language_code)
        self._wishes = wishes or Wishes(profile, language_code, finder, self._words)
        named: tuple[Service | Topic | Person, ...] = (*self._facts.services, *self._facts.topics, *self._facts.people)
        self._names = {one.id: names_in(one.names, language_code)[0] for one in named}
        self._services_by_id = {one.id: one for one in self._facts.services}
        self._people = {one.id: one for one in self._facts.people}
        self._comparing = Comparing(self._facts, language_code, finder.words, self._words)
        self._by_kind: dict[str, Callable[[Part, Dialogue, datetime], Finding]] = {
            "hours": self._hours,
            "price": self._price,
            "duration": self._duration,
            "address": self._address,
            "who": self._who,
            "offered": self._offered,
            "free": self._free,
            "today": self._today,
            "language": self._languages,
            "handover": self._handover,
            "repeat": self._repeat,
            "about": self._about,
            "check": self._check,
        }
        self._fixed = {  # kinds with one answer, and the question behind it
            "private": ("private", ""),
            "tampering": ("tampering", "help"),
            "robot": ("not_human", "help"),
            "advice": ("advice", ""),
            "callback": ("no_callback", "more"),
            "complaint": ("complaint", "help"),
            "thanks": ("welcome", "more"),
            "bye": ("welcome", "more"),
            "unclear": ("take_your_time", ""),
            "chat": ("chat", "help"),
            "hello": ("listening", "help"),
            "name": ("listening", "help"),  # these four where nothing was asked
            "number": ("listening", "help"),
            "yes": ("fine", "help"),
            "no": ("fine", "more"),
        }
        self._known = {
            kind: finder.words.common
            | _words_of(language_code, kind)
            | {word for words in finder.words.sums for word in words}
            | {word for listed in finder.words.compares.values() for words in listed for word in words}
            for kind in ("price", "duration", "offered", "who", "hours", "free")
        }

    def answer(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """The finding for one part of a turn; `now` in the tenant's zone."""
        wish = self._wishes.take(part, dialogue, now)
        if wish is not None:
            text, asked, after = wish
            step = Next.CONFIRM if asked == "confirm" else Next.ASK
            return Finding(text, replace(after, kind="book", asked=asked, n_unknown=0), step)
        before, dialogue = dialogue, replace(dialogue, asked="")
        if compared := self._comparing.answer(part, lambda kind: self._n_strange(part, kind)):
            service = compared.service or dialogue.service
            found = self._said(compared.text, replace(_speaking_of(part, dialogue), service=service), compared.kind)
            return replace(found, computed=compared.computed)
        if question := self._asks_back(part):
            return Finding(question, replace(before, asked="which"), Next.ASK)
        dialogue = _speaking_of(part, dialogue)
        if finding := self._whatever_the_kind(part, dialogue):
            return finding
        if is_text(part.kind):
            return self._text(part, dialogue)
        return self._by_kind.get(part.kind, self._otherwise)(part, dialogue, now)

    def _whatever_the_kind(self, part: Part, dialogue: Dialogue) -> Finding | None:
        """What is answered before the kind is looked at."""
        slots = part.slots
        if slots.when.trouble is Trouble.NO_SUCH_DATE and part.kind not in _OF_DATES:
            return self._said(self._words.say(slots.when.trouble.value), dialogue, "free")
        if part.doubts and slots.people and slots.when:
            return self._schedule(slots.people, dialogue)
        return self._unknown(part, dialogue) if self._is_about_another_thing(part) else None

    def _otherwise(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """Kinds with one answer, and what no kind covers."""
        key, question = self._fixed.get(part.kind, ("", ""))
        if not key:
            return self._unknown(part, dialogue)
        return self._said(self._words.say(key), dialogue, part.kind, ask=question)

    def _is_about_another_thing(self, part: Part) -> bool:
        """Whether a sentence names nothing that is known, and words that no question it may be has."""
        slots = part.slots
        are_questions = all(kind in self._by_kind or is_text(kind) for kind in part.doubts[:2])
        if not part.doubts or not are_questions or slots.services or slots.people or slots.topics or slots.when:
            return False
        known = self._finder.words.common.union(*(self._example_words(kind) for kind in part.doubts[:2]))
        return len(unexplained(slots, (), known)) >= _FEW_STRANGE

    def _n_strange(self, part: Part, kind: str) -> int:
        """How many words of a part no question of the kind has."""
        slots = part.slots
        return len(unexplained(slots, (*slots.services, *slots.people, *slots.topics), self._known[kind]))

    def _example_words(self, kind: str) -> frozenset[str]:
        if not is_text(kind):
            return self._known.get(kind) or _words_of(self._language, kind)
        fact = next((one for one in self._facts.texts if TEXT_KIND + one.id == kind), None)
        texts = names_in(fact.examples, self._language) if fact else ()
        return frozenset(word for text in texts for word in normalise(text))

    def _asks_back(self, part: Part) -> str:
        """The question what is meant, where that is in doubt and both kinds can be named."""
        is_answered = bool(part.slots.people and part.slots.when) or part.slots.when.trouble is Trouble.NO_SUCH_DATE
        if not part.doubts or is_answered or self._is_about_another_thing(part):
            return ""
        if is_text(part.kind):
            return self._words.ask("again")
        labels = [self._words.kinds.get(kind, "") for kind in part.doubts[:2]]
        return self._words.ask("which", kinds=self._words.one_of(labels)) if all(labels) else ""

    def plain(self, text: str) -> str:
        """An answer without the "yes" before it."""
        return self._words.plain(text)

    def pending(self, dialogue: Dialogue) -> str:
        """The question that still waits for its answer when another one was answered in between."""
        return self._wishes.question(dialogue) if not dialogue.asked else ""

    def _said(self, text: str, dialogue: Dialogue, kind: str, *, ask: str = "") -> Finding:
        question = f" {self._words.ask(ask)}" if ask and not self._wishes.is_open(dialogue) else ""
        asked = ask if question else ""
        return Finding(text + question, replace(dialogue, kind=kind, n_unknown=0, asked=asked))

    def _unknown(self, part: Part, dialogue: Dialogue) -> Finding:
        n_unknown = dialogue.n_unknown + 1
        if n_unknown == 1 or not self._topics():
            text = self._words.say("unknown")
        else:
            text = self._words.say("unknown_again", topics=self._words.all_of(self._topics()))
        if self._wishes.is_open(dialogue):
            return Finding(text, replace(dialogue, kind=UNKNOWN, n_unknown=n_unknown))
        if n_unknown == 1:
            text += f" {self._words.ask('more')}"
        return Finding(text, replace(dialogue, kind=UNKNOWN, n_unknown=n_unknown, asked="more"))

    def _not_known(self, text: str, dialogue: Dialogue, kind: str) -> Finding:
        return Finding(text, replace(dialogue, kind=kind, n_unknown=dialogue.n_unknown + 1, asked=""))

    def _topics(self) -> list[str]:
        facts, labels = self._facts, self._words.kinds
        known = {
            "hours": facts.hours,
            "price": any(service.price for service in facts.services),
            "address": facts.addresses,
            "who": facts.people,
            "free": facts.free_times,
        }
        return [labels[kind] for kind, has in known.items() if has]

    # Hours

    def _hours(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        hours, when = self._facts.hours, part.slots.when
        if people := part.slots.people or self._meant(part, dialogue):
            return self._schedule(people, dialogue)
        if hours is not None and when.trouble is Trouble.PAST and when.weekdays:
            when = replace(when, trouble=None)  # "this Saturday", on a Sunday: as on every Saturday
            part = replace(part, slots=replace(part.slots, when=when))
        if hours is None or when.trouble is Trouble.PAST:
            return self._unknown(part, dialogue)
        if part.slots.is_other_holiday:
            text = self._words.say("hours_unsure", week=self._words.week(hours))
            return self._not_known(text, dialogue, "hours")
        return self._said(self._hours_text(hours, part, now), dialogue, "hours")

    def _meant(self, part: Part, dialogue: Dialogue) -> tuple[Found, ...]:
        """Who is meant by "is she there on Saturday?": the person spoken of, not the house that is open."""
        words, compares = part.slots.words, self._finder.words.compares
        is_of_house = has_any(words, (*compares["opening"], *compares["closing"]))
        if is_of_house or not dialogue.person or not has_any(words, self._finder.words.person_pronouns):
            return ()
        return (Found(dialogue.person, 0, 0),)

    def _hours_text(self, hours: OpeningHours, part: Part, now: datetime) -> str:
        when, words = part.slots.when, self._words
        if when.trouble is not None:
            return words.say(when.trouble.value)
        if when.date and when.last_date:
            return self._hours_between(hours, when.date, when.last_date)
        if when.date:
            return self._hours_on(hours, when, now)
        if when.weekdays and len(when.weekdays) <= _DAYS_BY_WEEKDAY:  # as they are in most weeks
            return " ".join(self._worded(hours.weekdays[day], words.weekday(day), when) for day in when.weekdays)
        if self._asks_now(part):
            return self._open_now(hours, now)
        return words.say("hours_week", week=words.week(hours))

    def _hours_between(self, hours: OpeningHours, first: date, last: date) -> str:
        """The week, and the dates of the stretch that are otherwise."""
        texts = [self._words.say("hours_week", week=self._words.week(hours))]
        for day, exception in sorted(hours.exceptions.items()):
            names = names_in(exception.names, self._language)
            if first <= day <= last and names:
                key = "hours_holiday" if exception.intervals else "closed_holiday"
                texts.append(self._words.say(key, holiday=names[0], spans=self._words.spans(exception.intervals)))
        return " ".join(texts)

    def _hours_on(self, hours: OpeningHours, when: When, now: datetime) -> str:
        words, day = self._words, when.date or now.date()
        exception = hours.exceptions.get(day)
        names = names_in(exception.names, self._language) if exception else ()
        if exception and names:
            if not exception.intervals:
                return words.say("closed_holiday", holiday=names[0])
            return words.say("hours_holiday", holiday=names[0], spans=words.spans(exception.intervals))
        text = self._worded(hours.on(day), self._day(day, now), when)
        following = hours.open_dates(day + timedelta(days=1), count=1)
        if not hours.on(day) and following:
            spans = words.spans(hours.on(following[0]))
            text += " " + words.say("next_open", day=self._day(following[0], now), spans=spans)
        return text

    def _worded(self, intervals: Sequence[Interval], day: str, when: When) -> str:
        words = self._words
        if not intervals:
            return words.say("closed_on", on_day=words.on(day))
        key = "hours_on"
        if when.times:
            shift = _SHIFTS.get(when.relation, 0)
            minutes = [at.hour * _MINUTES_IN_HOUR + at.minute + shift for at in when.times]
            key = "open_yes" if any(one.holds(at) for at in minutes for one in intervals) else "open_no"
        elif when.part in PARTS:
            first, last = (hour * _MINUTES_IN_HOUR for hour in PARTS[when.part])
            open_min = sum(max(min(one.closes_min, last) - max(one.opens_min, first), 0) for one in intervals)
            key = "open_yes" if open_min >= _LEAST_OPEN_MIN else "hours_on" if open_min else "open_no"
        on_day = words.on(day)
        return words.say(
            key, on_day=on_day[:1].upper() + on_day[1:] if key == "open_no" else on_day, spans=words.spans(intervals)
        )

    def _open_now(self, hours: OpeningHours, now: datetime) -> str:
        words = self._words
        minute = now.hour * _MINUTES_IN_HOUR + now.minute
        interval = next((one for one in hours.on(now.date()) if one.holds(minute)), None)
        if interval:
            return words.say("open_now", time=words.time(interval.closes))
        text, opens = words.say("closed_now"), hours.next_open(now)
        if opens:
            day = self._day(opens.date(), now)
            text += " " + words.say("next_open", day=day, spans=words.spans(hours.on(opens.date())))
        return text

    def _asks_now(self, part: Part) -> bool:
        now_words = [normalise(text) for text in data.words(primary(self._language), FILE, "now.words")]
        return has_any(part.slots.words, now_words)

    def _day(self, day: date, now: datetime) -> str:
        is_near = timedelta(0) <= day - now.date() < _SAID_BY_WEEKDAY
        return self._words.weekday(day.weekday()) if is_near else self._words.date(day)

    def _schedule(self, people: Sequence[Found], dialogue: Dialogue) -> Finding:
        person = self._name(people[0].id)
        return self._not_known(self._words.say("schedule_unknown", person=person), dialogue, UNKNOWN)

    # Services

    def _price(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        services, is_exact, is_foreign = self._services(part, dialogue, "price")
        if is_foreign:
            known = [self._name(one.id) for one in self._facts.services if one.price][:_LONGEST_LIST]
            if not known:
                return self._unknown(part, dialogue)
            text = self._words.say("price_of_that_unknown", services=self._words.all_of(known))
            return self._not_known(text, dialogue, "price")
        if not services:
            services = [one for one in self._facts.services if one.price][:_LONGEST_LIST]
        if not services:
            return self._unknown(part, dialogue)
        texts = [self._price_of(service) for service in services]
        is_exact = is_exact or all(price_in(one, self._language) is None for one in services)
        found = self._found(texts, services, dialogue, "price", is_exact=is_exact)
        counts = {one.id: one.count for one in part.slots.services}
        total = self._total(services, counts) if self._asks_for_a_sum(part, counts) else None
        if total is None:
            return found
        text = f"{found.text} {self._words.say('sum', price=self._words.money(total))}"
        return replace(found, text=text, computed=(total.amount,))

    def _asks_for_a_sum(self, part: Part, counts: Mapping[str, int]) -> bool:
        """Whether the price of all that is named may be wanted: not where it is one thing or the other."""
        is_choice = has_any(part.slots.words, self._finder.words.choices)
        return sum(counts.values()) > 1 and (not is_choice or has_any(part.slots.words, self._finder.words.sums))

    def _total(self, services: Sequence[Service], counts: Mapping[str, int]) -> Money | None:
        """The prices together; None: one is not known, or they are in more than one currency."""
        prices = [(price_in(one, self._language), counts.get(one.id, 1)) for one in services]
        known = [(price, count) for price, count in prices if price is not None]
        if len(known) < len(prices) or len({price.currency for price, _ in known}) != 1:
            return None
        return Money(sum((price.amount * count for price, count in known), Decimal(0)), known[0][0].currency)

    def _price_of(self, service: Service) -> str:
        price, name = price_in(service, self._language), self._words.thing(self._name(service.id))
        if price is None:
            return self._words.say("price_unknown", a_service=name)
        return self._words.say("price", a_service=name, price=self._words.money(price))

    def _duration(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        services, is_exact, is_foreign = self._services(part, dialogue, "duration")
        if is_foreign or not services:
            return self._not_known(self._words.say("duration_of_that_unknown"), dialogue, "duration")
        texts = [self._duration_of(service) for service in services]
        is_exact = is_exact or all(one.minutes is None for one in services)
        return self._found(texts, services, dialogue, "duration", is_exact=is_exact)

    def _duration_of(self, service: Service) -> str:
        name = self._words.thing(self._name(service.id))
        if service.minutes is None:
            return self._words.say("duration_unknown", a_service=name)
        return self._words.say("duration", a_service=name, minutes=str(service.minutes))

    def _offered(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        services, is_exact, is_foreign = self._services(part, replace(dialogue, service=""), "offered")
        if part.slots.topics and not services and is_exact:
            return self._who(part, dialogue, now)
        every = self._words.all_of(self._name(one.id) for one in self._facts.services)
        if not every:
            return self._unknown(part, dialogue)
        if is_foreign or (services and not is_exact):
            return self._not_known(self._words.say("offered_unknown", services=every), dialogue, "offered")
        if not services:
            return self._said(self._words.say("offered_list", services=every), dialogue, "offered")
        names = self._words.all_of(self._words.thing(self._name(one.id)) for one in services)
        return self._found([self._words.say("offered", services=names)], services, dialogue, "offered", is_exact=True)

    def _services(self, part: Part, dialogue: Dialogue, kind: str) -> tuple[list[Service], bool, bool]:
        """The services a question is about; whether it is about just these; and whether it is about another thing."""
        found = part.slots.services
        strange = unexplained(part.slots, (*found, *part.slots.people, *part.slots.topics), self._known[kind])
        if found:
            return [self._services_by_id[one.id] for one in found], not strange, False
        if strange:
            return [], not part.slots.topics and not strange, True
        return (
            ([self._services_by_id[dialogue.service]] if dialogue.service in self._services_by_id else []),
            True,
            False,
        )

    def _found(
        self, texts: list[str], services: list[Service], dialogue: Dialogue, kind: str, *, is_exact: bool
    ) -> Finding:
        if not is_exact:
            texts = [self._words.say("only_know"), *texts]
        last = services[-1].id if len(services) == 1 else ""
        return self._said(" ".join(texts), replace(dialogue, service=last or dialogue.service), kind)

    # People and places

    def _who(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        slots, words = part.slots, self._words
        things = slots.topics or slots.services
        strange = unexplained(slots, (*slots.topics, *slots.services, *slots.people), self._known["who"])
        if not self._facts.people:
            return self._unknown(part, dialogue)
        if slots.people and slots.when:
            return self._schedule(slots.people, dialogue)
        is_of_person = dialogue.person in self._people and has_any(slots.words, self._finder.words.person_pronouns)
        if strange and not (things or slots.people or is_of_person):
            everyone = words.all_of(self._name(one.id) for one in self._facts.people)
            return self._not_known(words.say("who_unknown", people=everyone), dialogue, "who")
        if things:
            texts = [words.say("only_know")] if len(strange) >= _FEW_STRANGE else []
            is_count = has_any(slots.words, self._finder.words.compares["how_many"])  # no question of yes or no
            asked = () if is_count else [each.id for each in slots.people]
            texts += [self._who_does(one.id, asked) for one in things]
            if len(things) == 1 and len(does := self._facts.who_does(things[0].id)) == 1:
                dialogue = replace(dialogue, person=does[0].id)
        elif slots.people:
            texts = [words.say("only_know")] if strange else []
            texts += [self._does(one.id) for one in slots.people]
        elif is_of_person:
            texts = [self._does(dialogue.person)]
        elif dialogue.service in self._services_by_id:
            texts = [self._who_does(dialogue.service)]
        else:
            texts = [self._does(one.id) for one in self._facts.people]
        return self._said(" ".join(texts), dialogue, "who")

    def _who_does(self, thing_id: str, asked: Sequence[str] = ()) -> str:
        """Who does a thing; yes or no, where one person was `asked` about."""
        does = self._facts.who_does(thing_id)
        names = self._words.all_of(self._name(one.id) for one in does or self._facts.people)
        if not does:
            return self._words.say("who_unknown", people=names)
        if len(asked) != 1:
            return self._words.say("for_thing", thing=self._name(thing_id), people=names)
        key = "does_yes" if asked[0] in [one.id for one in does] else "does_no"
        return self._words.say(key, thing=self._name(thing_id), person=self._name(asked[0]), people=names)

    def _does(self, person_id: str) -> str:
        things = self._words.all_of(self._name(thing) for thing in self._people[person_id].does)
        if not things:
            return self._words.say("person_known", person=self._name(person_id))
        return self._words.say("person_does", person=self._name(person_id), things=things)

    def _address(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        addresses = [text_in(one.spoken, self._language) for one in self._facts.addresses]
        if not addresses:
            return self._unknown(part, dialogue)
        return self._said(self._words.say("address", address=self._words.all_of(addresses)), dialogue, "address")

    def _text(self, part: Part, dialogue: Dialogue) -> Finding:
        text_id = part.kind.removeprefix(TEXT_KIND)
        fact = next(one for one in self._facts.texts if one.id == text_id)
        return self._said(text_in(fact.say, self._language), dialogue, part.kind)

    # Times

    def _free(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        words, times = self._words, self._wishes.free_times(now)
        if not times:
            return self._not_known(words.say("free_unknown"), dialogue, "free")
        if part.slots.when.trouble is not None:
            return self._said(words.say(part.slots.when.trouble.value), dialogue, "free")
        every = words.all_of(text for text, _ in times)
        if not part.slots.when:
            return self._said(words.say("free", times=every), dialogue, "free")
        fitting = self._wishes.fitting(part.slots.when, now)
        if not fitting:
            return self._said(words.say("free_no", times=every), dialogue, "free")
        return self._said(words.say("free_yes", times=words.all_of(fitting)), dialogue, "free")

    def _today(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        day = part.slots.when.date or now.date()
        if day != now.date():
            return self._said(self._words.date(day)[:1].upper() + self._words.date(day)[1:] + ".", dialogue, "today")
        text = self._words.say("today", date=self._words.date(day), time=self._words.time(now.time()))
        return self._said(text, dialogue, "today")

    # The call

    def _languages(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        names, spoken = self._words.languages, {primary(tag): tag for tag in self._profile.language_codes}
        said = " ".join(part.slots.words)
        wanted = next((code for code, name in names.items() if " ".join(normalise(name)) in said), "")
        if wanted in spoken:
            text = self._words.say("language_yes", language=names[wanted])
            act = SwitchLanguage(spoken[wanted])  # asked in it too: the recogniser may still listen for another
            return replace(self._said(text, dialogue, "language"), act=act)
        languages = self._words.all_of(names[code] for code in spoken if code in names)
        return self._said(self._words.say("language_no", languages=languages), dialogue, "language")

    def _handover(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        destination = self._destination(part) or self._profile.handover
        if not destination:
            return self._said(self._words.say("no_handover"), dialogue, "handover", ask="help")
        said = self._said(self._words.say("handover"), dialogue, "handover")
        return replace(said, next=Next.HAND_OVER, act=Transfer(destination))

    def _destination(self, part: Part) -> str:
        """Where the caller wants to be put through to by a name of the agent's file; empty: it lists no such place."""
        places = [one for one in self._profile.destinations if self._profile.may(Transfer(one.target))]
        named = (one for one in places if has_any(part.slots.words, [normalise(name) for name in one.names]))
        return next((one.target for one in named), "")

    def _repeat(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        text = dialogue.reply or self._words.say("repeat_nothing")
        return Finding(text, replace(dialogue, kind="repeat"))

    def _about(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        return self._said(self._profile.personas[self._language].greeting, dialogue, "about")

    def _check(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        texts = [self._words.say("check")]
        if dialogue.wish.is_noted and not dialogue.wish.at:  # what the diary was asked for may be fixed
            texts.append(self._words.say("check_wish"))
        return self._not_known(" ".join(texts), dialogue, "check")

    def _name(self, thing_id: str) -> str:
        return self._names[thing_id]


def _speaking_of(part: Part, dialogue: Dialogue) -> Dialogue:
    """What is spoken of from here on."""
    slots = part.slots
    return replace(
        dialogue,
        service=slots.services[-1].id if slots.services else dialogue.service,
        person=slots.people[-1].id if slots.people else dialogue.person,
        topic=slots.topics[-1].id if slots.topics else dialogue.topic,
    )


def _words_of(language_code: str, kind: str) -> frozenset[str]:
    """The words of a kind's examples that are no names."""
    texts: Iterable[str] = data.words(primary(language_code), FILE, f"kinds.{kind}")
    slots = ("{service}", "{person}", "{topic}")
    for slot in slots:
        texts = [text.replace(slot, " ") for text in texts]
    return frozenset(word for text in texts for word in normalise(text))
