"""Rules that choose a kind by words, where examples alone do not tell. Sans-IO.

A kind that a fact would answer, or that refuses, is taken only where something speaks for it: the words of a price, of
other people, of a length. "I don't know" is better than another thing's fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.nlu.agent.graph.asking import UNKNOWN, is_text
from services.nlu.agent.graph.counting import has_any, spans_of
from services.nlu.agent.graph.slots import SlotFinder, Slots, unexplained
from services.nlu.agent.graph.strangers import asks_whether_there_is, names_a_stranger, names_anything
from services.nlu.agent.graph.terms import asks, asks_for_terms, is_a_case, is_question
from services.nlu.agent.understanding import Guess

_CLEAR_SCORE = 0.6  # of a text of the file's: no word makes another question of it
_WEAK_SCORE = 0.4  # below it a kind needs words that speak for it
_DEED_WORDS = 3  # of a name that is what somebody does: nothing else is asked of it
_LEAST_TEXT = 0.3  # of a text that answers a case that is put
_NEAR_SCORE = 0.1  # of two kinds that are about as likely
_NIGHT = "night"  # a period of asking.toml
_FEW = 2  # strange words beside the part of the house that the hours are of
_NEAR = 3  # words behind "which": "какие у вас номера"
_COMING = frozenset({"book", "free"})  # kinds that ask when the caller may come
_OF_A_THING = frozenset({"price", "duration"})
_OF_TIMES = frozenset({"free", "hours"})
_REMARKS = frozenset({"complaint", "callback"})
SAID_BY = {"change": "changes", "cancel": "cancels", "check": "checks"}  # words of these deeds
_WISH_OF = {"check": "find"}  # the kind of wish that a kind of sentence begins, where it has another name

SURE_SCORE = 0.45  # of a kind
SURE_MARGIN = 0.1  # over the next kind
_LEAST_SCORE = 0.16  # below it no example speaks for any kind
_N_DOUBTS = 3
_OF_PERSON = 0.15  # for who does what, where a person and a thing are named
_OF_ADDRESS = 0.4  # for the address, where its words are said
_OF_HOURS = 0.25  # for the hours, where what keeps them is named and a time
_OF_HOLIDAY = 0.12  # for the hours, where a holiday is named
_YIELDS = 0.1  # by how much an unknown question may be likelier than one about a named thing
_FITTING = 0.12  # for a kind that asks about what was named
_ABOUT = {
    "services": ("price", "duration", "offered", "book"),
    "people": ("who", "book"),
    "topics": ("who",),
    "when": ("hours", "free", "book", "change", "cancel", "check"),
}

Decided = tuple[str, tuple[str, ...]]
"""A kind, and those it may be as well."""


def weigh(guesses: Sequence[Guess], slots: Slots, finder: SlotFinder) -> list[Guess]:
    """The guesses with those before that ask about what the sentence names."""
    fitting = {kind for slot, kinds in _ABOUT.items() if getattr(slots, slot) for kind in kinds}
    if slots.services:  # "a double from Friday till Sunday" is no change
        evidence = finder.words.evidence
        fitting -= {kind for kind, name in SAID_BY.items() if not has_any(slots.words, evidence[name])}
    if slots.topics and slots.services and not has_any(slots.words, finder.words.evidence["asks_who"]):
        fitting.discard("who")  # "all three kids for a check-up, what am I looking at"
    weighed = [replace(one, score=one.score + _FITTING * (one.kind in fitting)) for one in guesses]
    if slots.people and (slots.topics or slots.services) and not slots.when:
        weighed = [replace(one, score=one.score + _OF_PERSON * (one.kind == "who")) for one in weighed]
    if slots.is_of_hours and slots.when:
        weighed = [replace(one, score=one.score + _OF_HOURS * (one.kind == "hours")) for one in weighed]
    if slots.when.holiday:
        weighed = [replace(one, score=one.score + _OF_HOLIDAY * (one.kind == "hours")) for one in weighed]
    if slots.is_of_address:
        weighed = [replace(one, score=one.score + _OF_ADDRESS * (one.kind == "address")) for one in weighed]
    weighed.sort(key=lambda one: -one.score)
    if slots.services and weighed[0].kind == UNKNOWN:  # what is named is known: rather that than nothing
        near = [one for one in weighed[1:] if one.kind in fitting and one.score >= weighed[0].score - _YIELDS]
        weighed = [*near[:1], *(one for one in weighed if one not in near[:1])]
    return weighed


def decide(guesses: Sequence[Guess]) -> tuple[str, tuple[str, ...]]:
    """The kind, and where it is in doubt those it may be."""
    first, second = guesses[0], guesses[1]
    if first.score >= SURE_SCORE or first.score - second.score >= SURE_MARGIN:
        return first.kind, ()
    if first.score < _LEAST_SCORE:
        return UNKNOWN, ()
    return first.kind, tuple(guess.kind for guess in guesses[:_N_DOUBTS])


def by_evidence(decided: Decided, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder, text: str) -> Decided:
    """The kind, or another where no word speaks for it."""
    (kind, _), words = decided, slots.words
    score = next((one.score for one in guesses if one.kind == kind), 0.0)
    is_weak = score < _WEAK_SCORE
    if (kind in _REMARKS and is_weak) or (kind == "private" and _is_of_nobody_else(slots, finder, text)):
        return _second(guesses, kind)
    if kind == "who" and slots.when.has_day and not names_anything(slots):
        return ("hours", ()) if has_any(words, finder.words.compares["staff"]) else decided
    if spoken_for := _spoken_for(decided, guesses, slots, finder):
        return spoken_for, ()
    is_needed = _asks_whether_needed(kind, slots, finder) and is_question(text, finder, words)
    is_of_no_hours = kind == "hours" and finder.has_hours_of_a_part and _asks_for_a_thing(slots, finder)
    if is_needed or is_of_no_hours or (kind == "who" and _counts_guests(slots, finder)):
        return UNKNOWN, ()  # "do I need to book", "do I have to fast before a cleaning", "how many does a suite take"
    is_of_nothing = kind in _OF_A_THING and _is_of_nothing(slots, finder)
    if is_weak and (is_of_nothing or (kind == "hours" and _is_of_no_time(slots, finder))):
        return UNKNOWN, ()
    return _of_named_thing(decided, slots, finder)


def _spoken_for(decided: Decided, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder) -> str:
    """Return the kind that words speak for, whatever the examples say; empty: none."""
    kind, doubts = decided
    if "advice" in doubts[:2] and any(map(is_text, doubts[:2])):
        return kind  # a text for an emergency, or the staff: either is better than to ask again
    if kind == "advice" and has_any(slots.words, finder.words.price_words):
        return "price"
    if kind == "address" and "callback" in doubts[:2]:
        return kind  # "text me your address" is told, whatever may be sent
    if kind in (*_OF_TIMES, "price") and _is_a_stay(slots, finder):
        return "book"  # "a double from Friday till Sunday"
    for other, is_asked in (
        ("price", _asks_what_it_comes_to(kind, slots, finder)),
        ("free", _asks_whether_left(kind, guesses, slots, finder)),
    ):
        if is_asked:
            return other
    is_of_person = "who" in doubts[:2] and names_anything(slots)  # "my husband needs a crown, who would do that"
    return "who" if is_of_person and has_any(slots.words, finder.words.evidence["asks_who"]) else ""


def of_deeds(decided: Decided, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder, text: str) -> Decided:
    """The kind of what sounds like a request for a deed, or another: the terms of one are asked for, and answered by a
    text of the file's where one is likely; or words say that a booking is to be cancelled.
    """
    kind, doubts = decided
    if any(asks_for_terms(one, slots, finder, text) for one in (kind, *doubts[:2])):
        return next((one.kind for one in guesses if is_text(one.kind) and one.score >= _WEAK_SCORE), UNKNOWN), ()
    if (doubts and kind not in SAID_BY and _puts_a_weak_case(kind, guesses, slots, finder)) or (
        kind == "book" and guesses[0].score < SURE_SCORE and _asks_how_it_is_done(slots, finder, text)
    ):
        return UNKNOWN, ()
    lists, words = finder.words, slots.words
    is_no = kind == "no" and has_any(words, lists.wants)  # "no, I want to cancel the booking", and not to make one
    is_told = kind in _OF_TIMES and not is_question(text, finder, words)
    if is_told and _wants_a_moment(slots, finder):
        return "book", ()
    is_taken_for_another = is_no or is_told or (kind == "book" and not has_any(words, lists.orders["booked"]))
    if is_taken_for_another and has_any(words, lists.evidence["cancels_it"]):
        return "cancel", ()  # "снять бронь", though "снять номер" is to book one
    return decided


def _wants_a_moment(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a day and a time are wanted, and nothing asked of them: "half past two on Wednesday, please"."""
    lists = finder.words
    openings = (
        *lists.compares["opening"],
        *lists.compares["closing"],
        *lists.clock_questions,
        *lists.evidence["house"],
    )
    is_moment = bool(slots.when.times) and slots.when.has_day and not finder.lets_rooms
    return is_moment and has_any(slots.words, lists.wants) and not has_any(slots.words, openings)


def _puts_a_weak_case(kind: str, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a case is put that no kind is near to: "if the crown breaks within a year, is that on me"."""
    is_text_of_file = is_text(kind) and guesses[0].score >= _LEAST_TEXT
    return (
        guesses[0].score < SURE_SCORE and not (is_text_of_file or slots.when.has_day) and is_a_case(slots.words, finder)
    )


def _asks_how_it_is_done(slots: Slots, finder: SlotFinder, text: str) -> bool:
    """Return whether a question that is a little like a request has words of no request, or names several things, and
    no time: "could we squeeze into a double", "can both be done in one go".
    """
    lists = finder.words
    if slots.when or not asks(text, slots.words, finder) or has_any(slots.words, lists.wants):
        return False
    named = (*slots.services, *slots.people, *slots.topics)
    return len(slots.services) > 1 or bool(unexplained(slots, named, lists.common))


def in_open_wish(decided: Decided, guesses: Sequence[Guess], wish: str, slots: Slots, finder: SlotFinder) -> Decided:
    """The kind where a wish is open: it is left for a change, a cancellation or a look-up only by words of these, not
    by a sentence that is a little like one ("I suppose so"). `wish`: its kind; empty: none is open.
    """
    kind, _ = decided
    if not wish or kind not in SAID_BY or wish == _WISH_OF.get(kind, kind):
        return decided
    if has_any(slots.words, finder.words.evidence[SAID_BY[kind]]):
        return decided
    other = next((one for one in guesses if one.kind not in SAID_BY), None)
    return (other.kind if other and other.score >= _WEAK_SCORE else UNKNOWN), ()


def beside_time_clause(decided: Decided, of_rest: Sequence[Guess]) -> Decided:
    """The kind of what is asked beside a clause that only says when, where a text of the file's seemed to be asked for:
    "can we leave our bags after we check out" is no question after check-out. `of_rest`: its kinds; empty: there is no
    such clause.
    """
    if not of_rest or not is_text(decided[0]) or of_rest[0].kind == decided[0]:
        return decided
    return (of_rest[0].kind, ()) if of_rest[0].score >= _CLEAR_SCORE else (UNKNOWN, ())


def _of_named_thing(decided: Decided, slots: Slots, finder: SlotFinder) -> Decided:
    """The kind and doubts where a sentence names a thing in so many words, or asks which things of a kind there are."""
    kind, doubts = decided
    is_of_desk = kind == UNKNOWN and slots.is_of_hours and bool(slots.when)  # "is the desk staffed at New Year"
    is_of_desk = is_of_desk and len(unexplained(slots, (), finder.words.common)) <= _FEW
    is_of_day = "hours" in doubts[:2] and slots.when.has_day and not has_any(slots.words, finder.words.price_words)
    if is_of_desk or is_of_day:
        return "hours", ()
    if kind in _OF_TIMES and _is_asked_for(slots) and not has_any(slots.words, finder.words.clock_questions):
        return "offered", ()  # "can somebody drive us to the airport on Friday"
    if kind != UNKNOWN and "offered" not in doubts:
        return decided
    if asks_which_there_are(slots, finder):
        return "offered", ()
    n_strange = len(unexplained(slots, slots.services, finder.words.common))
    is_asked_for = _is_asked_for(slots) or _is_there(slots, finder)
    if kind != UNKNOWN or not is_asked_for or n_strange > 1:
        return decided
    return ("duration" if has_any(slots.words, finder.words.evidence["lengths"]) else "offered"), ()


def _asks_what_it_comes_to(kind: str, slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a price is asked for without its word, by a number of people or of nights: "if I bring all three
    kids for a check-up, what am I looking at", "what's a double from Monday to Thursday".
    """
    evidence, words = finder.words.evidence, slots.words
    if slots.people or not slots.services:
        return False
    asks_what = has_any(words, evidence["asks_what"])
    nights = slots.when.last_date or slots.periods.get(_NIGHT)
    is_of_stay = kind == UNKNOWN and bool(nights) and finder.names_a_room(slots)
    is_of_cost = has_any(words, evidence["money"]) or (asks_what and slots.n_people > 1)
    return (is_of_stay and asks_what) or (kind == "who" and is_of_cost and not has_any(words, evidence["asks_who"]))


def _asks_whether_left(kind: str, guesses: Sequence[Guess], slots: Slots, finder: SlotFinder) -> bool:
    """Return whether it is asked if a thing, or any place, is still to be had: "明天还有单人间吗", "any left?"."""
    lists, words = finder.words, slots.words
    unfit = (*lists.price_words, *lists.compares["opening"], *lists.compares["closing"])
    is_of_any = not names_anything(slots) and _speaks_of_any_room(slots, finder)
    is_of_room = is_of_any or finder.names_a_room(slots)
    asks_for_one = is_of_room and slots.when.has_day and has_any(words, lists.exists) and kind in _OF_TIMES
    if asks_for_one and not has_any(words, (*unfit, *lists.clock_questions)):
        return True  # "do you have a room for tonight"
    if not has_any(words, lists.evidence["left"]) or has_any(words, unfit):
        return False
    is_of_its_day = kind == "price" and slots.when.has_day and not has_any(words, lists.evidence["asks_what"])
    if is_of_room and (is_of_its_day or kind in (*_OF_TIMES, "offered", UNKNOWN)):
        return True
    scores = {one.kind: one.score for one in guesses}
    is_near = kind == "hours" and scores.get("free", 0.0) >= scores["hours"] - _NEAR_SCORE
    return slots.when.has_day and (is_near or (kind in ("offered", *_OF_TIMES) and bool(slots.services)))


def _speaks_of_any_room(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a room is spoken of, and nothing that is done with one: "còn phòng", not "còn nhận phòng"."""
    strange = unexplained(slots, (), finder.words.common)
    rooms = [at for at, word in enumerate(slots.words) if finder.is_shared(word)]
    return finder.lets_rooms and any(at - 1 not in strange for at in rooms)


def _is_a_stay(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a room is named with its days, and nothing that asks for a price or a time: "a double from
    Saturday for two nights".
    """
    lists = finder.words
    is_wanted = slots.when.has_day or has_any(slots.words, lists.wants)
    has_nights = bool(slots.when.last_date or (is_wanted and slots.periods.get(_NIGHT)))
    asks = has_any(slots.words, (*lists.price_words, *lists.clock_questions, *lists.evidence["asks_what"]))
    return has_nights and finder.names_a_room(slots) and not asks


def _counts_guests(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether it is asked how many people a thing is for that is not known, where rooms are let."""
    is_counted = finder.lets_rooms and has_any(slots.words, finder.words.compares["how_many"])
    return is_counted and not names_anything(slots) and bool(unexplained(slots, (), finder.words.common))


def _asks_for_a_thing(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether it is asked if there is a thing that is not known, and nothing of its hours: "have you a triple
    for Saturday".
    """
    lists = finder.words
    times = (*lists.clock_questions, *lists.compares["opening"], *lists.compares["closing"])
    return not (slots.is_of_hours or has_any(slots.words, times)) and asks_whether_there_is(slots, finder)


def _is_there(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether it is asked if a service that is named is there: "do you have a shuttle"."""
    ends = {end for _, end in spans_of(slots.words, finder.words.exists)}
    ends |= {end + 1 for end in ends if slots.words[end : end + 1] and slots.words[end] in finder.words.articles}
    return any(one.start in ends for one in slots.services)


def _is_asked_for(slots: Slots) -> bool:
    """Return whether a service is named by what somebody does: "pick us up from the airport"."""
    return any(one.end - one.start >= _DEED_WORDS for one in slots.services)


def _asks_whether_needed(kind: str, slots: Slots, finder: SlotFinder) -> bool:
    lists, words = finder.words, slots.words
    if not has_any(words, lists.evidence["musts"]) or slots.when:
        return False
    is_of_thing = kind in ("price", "duration", "offered") and bool(slots.services)
    has_word = has_any(words, (*lists.price_words, *lists.clock_questions, *lists.evidence["lengths"]))
    return kind == "book" or (is_of_thing and not has_word)


def asks_which_there_are(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether it is asked what there is of a kind by the word that several things' names share: "what kinds of
    rooms do you have".
    """
    if slots.services or slots.people or slots.topics or slots.when:
        return False
    spans = spans_of(slots.words, finder.words.evidence["kinds_of"])
    beside = {place for start, end in spans for place in range(start, end)}
    strange = [at for at in unexplained(slots, (), finder.words.common) if not finder.is_shared(slots.words[at])]
    if not beside.issuperset(strange) and not has_any(slots.words, finder.words.exists):
        return False  # "which of your rooms has the best view" asks for one of them
    return any(finder.is_shared(word) for _, end in spans for word in slots.words[end : end + _NEAR])


def _is_of_nobody_else(slots: Slots, finder: SlotFinder, text: str) -> bool:
    """Return whether no words speak of another person than the caller."""
    if slots.people or names_a_stranger(text, slots, finder.words.titles, finder.language_code):
        return False
    has_name = any(word[:1].isupper() for word in text.split()[1:] if len(word) > 1)
    if slots.n_people > 1:
        return True  # "for me and my wife"
    words = tuple(word.removesuffix("'s") for word in slots.words)
    return not (has_name or has_any(words, (*finder.words.evidence["others"], *finder.words.people["one"])))


def _is_of_nothing(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a question about a thing names none, and no price nor length either."""
    if slots.services or slots.topics or slots.periods or slots.amount:
        return False
    return not has_any(slots.words, (*finder.words.price_words, *finder.words.clock_questions, *finder.words.pronouns))


def _is_of_no_time(slots: Slots, finder: SlotFinder) -> bool:
    """Return whether a sentence has no word of a time, nor of opening."""
    lists = finder.words
    openings = (phrase for name in ("opening", "closing", "closed") for phrase in lists.compares[name])
    return not (slots.when or slots.is_of_hours or has_any(slots.words, (*lists.clock_questions, *openings)))


def _second(guesses: Sequence[Guess], kind: str) -> Decided:
    """The next kind, where it is likely by itself."""
    other = next(one for one in guesses if one.kind != kind)
    return (other.kind if other.score >= _WEAK_SCORE else UNKNOWN), ()


def of_what_is_named(
    decided: tuple[str, tuple[str, ...]], likeliest: Guess, slots: Slots, finder: SlotFinder, text: str
) -> tuple[str, tuple[str, ...]]:
    """The kind and doubts of a question about a named service, by the words that ask for a time or a price.

    "What time is breakfast?" asks for no price, though most questions about breakfast do.
    """
    (kind, doubts), lists, words = decided, finder.words, slots.words
    if not slots.services or has_any(words, lists.price_words):
        return kind, doubts
    asks_time = has_any(words, lists.clock_questions) and not slots.is_of_hours
    is_meant = all(one.start == one.end for one in slots.services)  # by a pronoun: no text's topic is named beside it
    is_weak_text = is_text(kind) and (likeliest.score < _CLEAR_SCORE or is_meant)
    is_other = kind in ("price", "offered") or is_weak_text or (bool(doubts) and kind not in _COMING)
    if asks_time and is_other:
        return "hours", ()
    if is_weak_text and _is_asked_for(slots):  # "can you pick us up at the airport?"
        return ("duration" if has_any(words, lists.evidence["lengths"]) else "offered"), ()
    others = {"price"} | ({"book"} if text.rstrip().endswith(("?", "？")) else set())
    if "offered" in doubts[:2] and (is_text(kind) or not others.isdisjoint(doubts[:2])):
        return "offered", ()
    return kind, doubts
