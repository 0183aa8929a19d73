"""Follow-ups: sentences that only name another thing for the question before ("and on Saturday?"). Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence

from services.nlu.agent.graph.asking import Words
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.strangers import names_anything

SHORT = 4  # words that may be no more than what was left out of the question before
_GREETING = 2  # words
_LONGEST_COUNT = 7  # words of "for the four of us", signs of "我们四个人呢"
FOLLOWS = {  # by what is named: the kinds that go on with it, and the kind where the one before does not
    "services": (("price", "duration", "offered", "who", "book"), "price"),
    "people": (("who", "book"), "who"),
    "topics": (("who",), "who"),
    "when": (("hours", "free", "book"), "hours"),
}


def follow_up_kind(slots: Slots, finder: SlotFinder, dialogue: Dialogue) -> str:
    """Return the kind of a sentence that only names something else for the question before: "and on Saturday?".
    Empty: it says more than that.
    """
    words, lead = slots.words, _lead_behind_preambles(slots.words, finder)
    named = (*slots.services, *slots.people, *slots.topics)
    counts = slots.periods or slots.n_bare or slots.n_people
    is_counted = bool(counts and dialogue.service) and dialogue.kind in ("price", "duration")
    if is_counted and not (named or slots.when) and _only_counts(slots, len(lead), finder):
        return dialogue.kind  # "and for three nights?", "for the four of us"
    if not dialogue.kind and len(words) <= _GREETING and _is_part_of_day(slots):
        return "hello"  # "evening!"
    n_beside = len(words) - len(lead) - len(slots.value_words) - sum(one.end - one.start for one in named)
    is_long = (not lead and len(words) > SHORT and not slots.is_beside) or (bool(lead) and n_beside > SHORT)
    lists = finder.words
    is_still_there = has_any(words, lists.stills) and not has_any(words, lists.joins_still)  # "còn phòng đơn không"
    if not (named or slots.when) or is_long or is_still_there:
        return ""
    known = finder.words.common | {word for phrase in finder.words.follow_ups for word in phrase}
    if has_any(words[len(lead) :], finder.words.question_words) or unexplained(slots, named, known):
        return ""
    same, usual = FOLLOWS[next(slot for slot in FOLLOWS if getattr(slots, slot))]
    is_moment = bool(slots.when.times) and slots.when.has_day
    can_book = finder.names_a_room(slots) if finder.lets_rooms else bool(slots.services) or is_moment
    if can_book and not dialogue.kind and has_any(words, finder.words.wants):
        return "book"  # "a cleaning, please", "half past two on Wednesday, please"
    return dialogue.kind if dialogue.kind in same else usual


def _only_counts(slots: Slots, n_leading: int, finder: SlotFinder) -> bool:
    """Return whether a sentence says no more than a number of what was spoken of, or for how many people."""
    if len(slots.words) <= n_leading + SHORT and not slots.n_people:
        return True
    lists = finder.words
    people = (*lists.people["groups"], *lists.people_counted, *lists.follow_ups)
    known = lists.common | {word for phrase in people for word in phrase}
    return len(slots.words) <= n_leading + _LONGEST_COUNT and not unexplained(slots, (), known)


def _is_part_of_day(slots: Slots) -> bool:
    when = slots.when
    return bool(when.part) and not (when.has_day or when.times or when.trouble or names_anything(slots))


def names_another(slots: Slots, finder: SlotFinder, dialogue: Dialogue) -> bool:
    """Return whether a sentence only repeats the question before for a thing unknown to the agent: "and braces?"."""
    lead = lead_of(slots.words, finder.words.follow_ups)
    rest = slots.words[len(lead) :]
    is_short = bool(lead) and 0 < len(rest) <= SHORT - 1 and not has_any(rest, finder.words.question_words)
    return is_short and dialogue.kind in ("price", "duration", "offered")


def kind_of_another(text: str, slots: Slots, finder: SlotFinder, dialogue: Dialogue) -> str:
    """Return the kind of the question before, where what sounds like a courtesy asks it of another service: "great, and
    a cleaning on top of that?". Empty: it does not.
    """
    goes_on = text.rstrip().endswith(("?", "？")) or has_any(slots.words, finder.words.follow_ups)
    is_open = bool(dialogue.wish.kind) and not dialogue.wish.is_noted
    same, _ = FOLLOWS["services"]
    if not slots.services or not goes_on or is_open or dialogue.kind not in same or dialogue.kind == "book":
        return ""
    return dialogue.kind


def _lead_behind_preambles(words: Words, finder: SlotFinder) -> Words:
    """Return the words that lead to what goes on, with the small words before them: "okay, and a cleaning"."""
    at = 0
    while lead := lead_of(words[at:], finder.words.preambles):
        at += len(lead)
    whole = lead_of(words[at:], finder.words.follow_ups)
    return words[: at + len(whole)] if whole else lead_of(words, finder.words.follow_ups)


def lead_of(words: Words, phrases: Sequence[Words]) -> Words:
    """Return the phrase that the words begin with; empty: none."""
    return next((phrase for phrase in phrases if words[: len(phrase)] == phrase), ())
