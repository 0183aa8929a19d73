"""Answers from the agent's facts alone. Sans-IO: `now` is given, a finding comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from services.language import data
from services.language.data import primary
from services.language.moment import Trouble
from services.language.words import normalise
from services.nlu.agent.facts import names_in, text_in
from services.nlu.agent.graph.asking import FILE, UNKNOWN, Words, asking, is_text
from services.nlu.agent.graph.comparing import Comparing
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.finding import Finding, Findings, Next, speaking_of
from services.nlu.agent.graph.hour_answers import HourAnswers
from services.nlu.agent.graph.people_answers import FEW_STRANGE, PeopleAnswers
from services.nlu.agent.graph.reading import MISHEARD, Part
from services.nlu.agent.graph.service_answers import ServiceAnswers
from services.nlu.agent.graph.several_days import days_apart
from services.nlu.agent.graph.slots import SlotFinder, unexplained
from services.nlu.agent.graph.stranger_answers import StrangerAnswers
from services.nlu.agent.graph.strangers import asks_whether_there_is, wants_unknown_room
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.graph.text_answers import TextAnswers
from services.nlu.agent.graph.wishes import Wishes
from services.nlu.agent.profile import AgentProfile
from services.nlu.outputs import SwitchLanguage, Transfer

_MOST_TOLD = 4  # free times in one sentence
_MANY_STRANGE = FEW_STRANGE + 1  # that make another question of whatever is compared
_SURE_SCORE = 0.6  # of a kind: strange words make no other question of it
_OF_TIMES = ("hours", "duration", "today")  # kinds whose questions are about a time of anything
_OF_REQUESTS = ("book", "free", "hours", "change", "cancel", "check", "who", "handover", "name", "number")
_OF_STRANGERS = frozenset(
    {"book", "free", "hours", "change", "check", "who", "price"}
)  # kinds that may be of a stranger
_OF_DATES = frozenset({"hours", "free", "tampering"})  # that say themselves what an impossible date is answered with


class Answers:
    """One agent's answers in one language."""

    def __init__(
        self, profile: AgentProfile, language_code: str, finder: SlotFinder, wishes: Wishes | None = None
    ) -> None:
        """`wishes` in place of those of which nothing is booked."""
        self._profile, self._facts, self._language, self._finder = profile, profile.facts, language_code, finder
        self._words = Templates(language_code)
        self._wishes = wishes or Wishes(profile, language_code, finder, self._words)
        self._findings = Findings(self._facts, language_code, self._words, self._wishes)
        self._known = self._known_words()
        names = (name for one in self._facts.services for name in names_in(one.names, language_code))
        self._name_words = frozenset(word for name in names for word in normalise(name))
        self._hours = HourAnswers(self._findings, finder, self._known["hours"], self._other_trades())
        self._people = PeopleAnswers(self._findings, finder, self._hours, self._known["who"])
        self._services = ServiceAnswers(self._findings, finder, self._people, self._known)
        requests = frozenset().union(*(_words_of(language_code, kind) for kind in _OF_REQUESTS))
        self._strangers = StrangerAnswers(self._findings, finder, self._people, self._services, requests)
        times = frozenset().union(*(_words_of(language_code, kind) for kind in _OF_TIMES))
        self._texts = TextAnswers(self._findings, finder, times)
        self._comparing = Comparing(self._facts, language_code, finder.words, self._words)
        self._by_kind: dict[str, Callable[[Part, Dialogue, datetime], Finding]] = {
            "hours": self._hours.answer,
            "price": self._services.price,
            "duration": self._services.duration,
            "address": self._address,
            "who": self._people.answer,
            "offered": self._services.offered,
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

    def answer(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """The finding for one part of a turn; `now` in the tenant's zone."""
        if taken := self._wished(part, dialogue, now):
            return taken
        before, dialogue = dialogue, replace(dialogue, asked="")
        if compared := self._comparing.answer(part, lambda kind: self._n_strange(part, kind)):
            service = compared.service or dialogue.service
            found = self._findings.said(
                compared.text, replace(speaking_of(part, dialogue, now), service=service), compared.kind
            )
            return replace(found, computed=compared.computed)
        if question := self._asks_back(part):
            return Finding(question, replace(before, asked="which"), Next.ASK)
        dialogue = speaking_of(part, dialogue, now)
        if finding := self._whatever_the_kind(part, dialogue):
            return finding
        if is_text(part.kind):
            return self._texts.answer(part, dialogue)
        return self._by_kind.get(part.kind, self._otherwise)(part, dialogue, now)

    def _wished(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding | None:
        """The finding for a turn that begins a wish or goes on with one; None: it does neither."""
        is_open = self._wishes.is_open(dialogue)
        if not is_open and (stranger := self._strangers.answer(part, dialogue)):
            return stranger
        wish = self._wishes.take(part, dialogue, now)
        if wish is None:
            return None
        text, asked, after = wish
        if not is_open and (beside := self._strangers.of_person_wished(part)):
            text = f"{beside} {self._words.plain(text)}"
        step = Next.CONFIRM if asked == "confirm" else Next.ASK
        service = after.wish.service or after.service  # that "how much is that?" is of
        return Finding(text, replace(after, kind="book", asked=asked, n_unknown=0, service=service), step)

    def _known_words(self) -> dict[str, frozenset[str]]:
        """The words that the questions of each kind have."""
        lists = self._finder.words
        shared = lists.common.union(
            lists.verbs,
            (
                word
                for phrases in (lists.sums, lists.left_out, lists.left_out_behind, lists.places)
                for words in phrases
                for word in words
            ),
            (word for listed in lists.compares.values() for words in listed for word in words),
        )
        kinds = ("price", "duration", "offered", "who", "hours", "free")
        return {kind: shared | _words_of(self._language, kind) for kind in kinds}

    def _other_trades(self) -> list[Words]:
        """Return what kinds of business are called that the agent's own texts do not say it is, in any of its
        languages.
        """
        own: set[str] = set()
        for tag, persona in self._profile.personas.items():
            words = normalise(f"{persona.greeting} {persona.farewell} {persona.instructions}")
            own |= {trade for trade, names in asking(tag).trades.items() if has_any(words, names)}
        return [name for trade, names in self._finder.words.trades.items() if trade not in own for name in names]

    def _whatever_the_kind(self, part: Part, dialogue: Dialogue) -> Finding | None:
        """Return what is answered before the kind is looked at."""
        slots = part.slots
        if self._texts.is_of_the_one_before(part, dialogue) and not self._services.asks_for_all(part):
            return self._texts.tell(dialogue.kind, dialogue)
        if slots.when.trouble is Trouble.NO_SUCH_DATE and part.kind not in _OF_DATES:
            return self._findings.said(self._words.say(slots.when.trouble.value), dialogue, "free")
        if (part.doubts or part.kind == UNKNOWN) and slots.people and slots.when:
            return self._hours.schedule(slots.people, dialogue)
        return self._findings.unknown(dialogue) if self._is_about_another_thing(part) else None

    def _otherwise(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        """Kinds with one answer, and what no kind covers."""
        key, question = self._fixed.get(part.kind, ("", ""))
        if not key and asks_whether_there_is(part.slots, self._finder):
            dialogue = replace(dialogue, service="")  # "what's the price?" is of that next
        if not key:
            return self._findings.unknown(dialogue)
        return self._findings.said(self._words.say(key), dialogue, part.kind, ask=question)

    def _is_about_another_thing(self, part: Part) -> bool:
        """Return whether a sentence names nothing that is known, and words that no question it may be has."""
        slots = part.slots
        are_questions = all(kind in self._by_kind or is_text(kind) for kind in part.doubts[:2])
        if not part.doubts or not are_questions or slots.services or slots.people or slots.topics or slots.when:
            return False
        known = self._finder.words.common.union(*(self._example_words(kind) for kind in part.doubts[:2]))
        return len(unexplained(slots, (), known)) >= FEW_STRANGE

    def _n_strange(self, part: Part, kind: str) -> int:
        """Return how many words of a part no question of the kind has."""
        slots = part.slots
        known = self._known[kind] | self._name_words
        n_strange = len(unexplained(slots, (*slots.services, *slots.people, *slots.topics), known))
        return n_strange + _MANY_STRANGE * wants_unknown_room(slots, self._finder, known)

    def _is_strange(self, part: Part) -> bool:
        """Return whether a part names nothing known, and more words than one that no question of its kind has."""
        known = self._finder.words.common | self._example_words(part.kind)
        is_sure = part.score >= _SURE_SCORE
        return not part.slots.services and not is_sure and len(unexplained(part.slots, (), known)) >= FEW_STRANGE

    def _has_own_word(self, part: Part) -> bool:
        """Return whether a part has a word that only the questions of its kind have, days and numbers aside."""
        own = self._example_words(part.kind) - self._finder.words.common
        slots = part.slots
        return any(word in own for place, word in enumerate(slots.words) if place not in slots.value_words)

    def _example_words(self, kind: str) -> frozenset[str]:
        return self._texts.words_of(kind) if is_text(kind) else self._known.get(kind) or _words_of(self._language, kind)

    def _asks_back(self, part: Part) -> str:
        """The question what is meant, where that is in doubt and both kinds can be named, or what was said."""
        if part.kind == MISHEARD:
            return self._words.ask("misheard")
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

    def beside(self, text: str) -> str:
        """An answer without its "yes", behind the words that just that is not known; one without a yes as it is."""
        plain = self._words.plain(text)
        return plain if plain == text else f"{self._words.say('only_know')} {plain}"

    def pending(self, dialogue: Dialogue) -> str:
        """The question that still waits for its answer when another one was answered in between."""
        return self._wishes.question(dialogue) if not dialogue.asked else ""

    def _address(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        addresses = [text_in(one.spoken, self._language) for one in self._facts.addresses]
        if not addresses:
            return self._findings.unknown(dialogue)
        return self._findings.said(
            self._words.say("address", address=self._words.all_of(addresses)), dialogue, "address"
        )

    # Times

    def _free(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        if self._hours.is_of_somebody(part):
            return self._findings.unknown(dialogue)
        words, times = self._words, self._wishes.free_times(now)
        if part.slots.when.trouble is not None:
            return self._findings.said(words.say(part.slots.when.trouble.value), dialogue, "free")
        if not times:
            return self._findings.not_known(words.say("free_unknown"), dialogue, "free")
        every = words.all_of(text for text, _ in times)
        if not part.slots.when:
            return self._findings.said(words.say("free", times=every), dialogue, "free")
        whens = days_apart(part.text, part.slots, self._finder, now) or (part.slots.when,)
        fitting = list(dict.fromkeys(text for when in whens for text in self._wishes.fitting(when, now)))
        if not fitting:
            return self._findings.said(words.say("free_no", times=every), dialogue, "free")
        return self._findings.said(words.say("free_yes", times=words.all_of(fitting[:_MOST_TOLD])), dialogue, "free")

    def _today(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        if self._is_strange(part) and not self._has_own_word(part):
            return self._findings.unknown(dialogue)  # "what is the dollar worth today?"
        day = part.slots.when.first_day(now.date()) or now.date()
        hours = self._facts.hours
        is_other_day = day != now.date()
        if is_other_day and hours is not None and day not in hours.exceptions and not hours.on(day):
            return self._hours.answer(part, dialogue, now)  # a day on which they may want to come
        if is_other_day:
            return self._findings.said(
                self._words.date(day)[:1].upper() + self._words.date(day)[1:] + ".", dialogue, "today"
            )
        text = self._words.say("today", date=self._words.date(day), time=self._words.time(now.time()))
        return self._findings.said(text, dialogue, "today")

    # The call

    def _languages(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        lists = self._finder.words
        of_somebody = (*lists.compares["staff"], *lists.evidence["somebody"])
        if part.slots.people or has_any(part.slots.words, of_somebody):
            return self._findings.unknown(dialogue)  # what a person speaks stands in no fact
        names, spoken = self._words.languages, {primary(tag): tag for tag in self._profile.language_codes}
        said = " ".join(part.slots.words)
        wanted = next((code for code, name in names.items() if " ".join(normalise(name)) in said), "")
        if wanted in spoken:
            text = self._words.say("language_yes", language=names[wanted])
            found = self._findings.said(text, dialogue, "language")
            if wanted != primary(self._language) and has_any(part.slots.words, lists.evidence["speakers"]):
                return found  # whether anybody speaks it: the caller may go on in this one
            act = SwitchLanguage(spoken[wanted])  # asked in it too: the recogniser may still listen for another
            return replace(found, act=act)
        languages = self._words.all_of(names[code] for code in spoken if code in names)
        return self._findings.said(self._words.say("language_no", languages=languages), dialogue, "language")

    def _handover(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        destination = self._destination(part) or self._profile.handover
        things = (*part.slots.topics, *part.slots.services)
        if not destination and any(self._facts.who_does(one.id) for one in things):
            return self._people.answer(part, dialogue, now)
        if not destination:
            return self._findings.said(self._words.say("no_handover"), dialogue, "handover", ask="help")
        said = self._findings.said(self._words.say("handover"), dialogue, "handover")
        return replace(said, next=Next.HAND_OVER, act=Transfer(destination))

    def _destination(self, part: Part) -> str:
        """Return where the caller wants to be put through to by a name of the agent's file; empty: it lists no such
        place.
        """
        places = [one for one in self._profile.destinations if self._profile.may(Transfer(one.target))]
        named = (one for one in places if has_any(part.slots.words, [normalise(name) for name in one.names]))
        return next((one.target for one in named), "")

    def _repeat(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        text = dialogue.reply or self._words.say("repeat_nothing")
        return Finding(text, replace(dialogue, kind="repeat"))

    def _about(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        if self._is_strange(part):
            return self._findings.unknown(dialogue)  # "what is the manager's name?"
        return self._findings.said(self._profile.personas[self._language].greeting, dialogue, "about")

    def _check(self, part: Part, dialogue: Dialogue, now: datetime) -> Finding:
        if self._wishes.sees_appointments:  # it sounds a little like a question after one's own
            if self._wishes.is_open(dialogue):
                return self._findings.said(self._words.say("take_your_time"), dialogue, "unclear")
            return self._findings.unknown(dialogue)
        texts = [self._words.say("check")]
        if dialogue.wish.is_noted and not dialogue.wish.at:  # what the diary was asked for may be fixed
            texts.append(self._words.say("check_wish"))
        return self._findings.not_known(" ".join(texts), dialogue, "check")


def _words_of(language_code: str, kind: str) -> frozenset[str]:
    """The words of a kind's examples that are no names."""
    texts: Iterable[str] = data.words(primary(language_code), FILE, f"kinds.{kind}")
    slots = ("{service}", "{person}", "{topic}")
    for slot in slots:
        texts = [text.replace(slot, " ") for text in texts]
    return frozenset(word for text in texts for word in normalise(text))
