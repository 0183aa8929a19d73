"""Answers to a booking that was read back: a yes, what is wrong of it, and what is wanted beside it. Sans-IO."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.language.words import normalise
from services.nlu.agent.graph.agreement import deed_words, is_all_agreement, opens_with_agreement, own_deeds
from services.nlu.agent.graph.counting import has_any
from services.nlu.agent.graph.dialogue import Dialogue, Wish
from services.nlu.agent.graph.reading import Part
from services.nlu.agent.graph.seen import covers
from services.nlu.agent.graph.stated_wishes import StatedWishes
from services.nlu.agent.graph.when import When
from services.nlu.agent.graph.whole_turn import clauses_of
from services.nlu.agent.graph.wishes import WHAT_TO_CHANGE, Taken

_UNDOING = frozenset({"no", "change", "cancel", "book"})  # kinds that take a yes back in the same breath


class ReadBackAnswers(StatedWishes):
    """Wishes whose read-back is answered."""

    def unheard(self, dialogue: Dialogue) -> str:
        """Return the question that a yes was said to, where it was not heard to its end; empty: it was."""
        question = self._question(replace(dialogue.wish, is_confirmed=False))[0]
        return "" if covers(self._seen.heard, question) else question

    def _at_read_back(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        """A yes to the wish that was read back, or what is put right of it in a few words."""
        wish = dialogue.wish
        if wish.at and self._seen.free and (hour := self._hour_instead(wish.at)):
            return self._timed([], wish, replace(part, slots=replace(part.slots, when=hour)), dialogue, now)
        is_corrected = bool(wish.name) and bool(self._given.corrected(part.text, wish.name, now))
        if not is_corrected and (cleared := self._without_wrong(wish, dialogue)) != wish:
            return self._next([self._words.say("fine")], cleared, dialogue)
        is_yes = bool(wish.at) and self._agrees(part, wish) and not self.is_taken_back(part)
        return self._confirmed(part, dialogue, now) if is_yes else None

    def _confirmed(self, part: Part, dialogue: Dialogue, now: datetime) -> Taken | None:
        wish = dialogue.wish
        if not wish.at:
            return super()._confirmed(part, dialogue, now)
        changed = self._filled(wish, part, now)
        if changed != wish:
            return self._next([], changed, dialogue)
        if part.slots.when and wish.when not in self.fitting(part.slots.when, now):
            return self._answered_when(part, dialogue, now)  # "yes, but on Sunday"
        if not self._agrees(part, wish):  # after a no it is asked what is wrong
            return self._next([], wish, dialogue) if part.kind == "no" else None
        if self._is_undone(wish, now) or not covers(self._seen.heard, self._question(wish)[0]):
            return self._next([], wish, dialogue)  # it was not heard, so it cannot have been meant
        return "", "more", dialogue.with_wish(is_confirmed=True)

    def _without_wrong(self, wish: Wish, dialogue: Dialogue) -> Wish:
        """The wish without the slot that a turn says to be wrong and gives no other value for: "the name isn't right".
        To the question what is wrong its name alone is enough.
        """
        lists, now, clauses = self._finder.words, self._seen.now, clauses_of(self._seen.said)
        for at, clause in enumerate(clauses):
            slots = self._finder.find(clause, now)
            is_objection = dialogue.asked == WHAT_TO_CHANGE or has_any(slots.words, lists.objections)
            words = tuple(word.removesuffix("'s") for word in slots.words)  # "the name's wrong"
            named = [slot for slot, names in lists.slot_names.items() if has_any(words, names)]
            if is_objection and len(named) == 1 and not (slots.when or slots.services or slots.digits):
                cleared, rest = self._cleared(wish, named[0]), ", ".join(clauses[at + 1 :])
                given = self._given.in_clause(rest, now) if rest and named[0] == "name" else ""
                return replace(cleared, name=given or cleared.name)
        return wish

    def _cleared(self, wish: Wish, slot: str) -> Wish:
        """The wish without a slot, by the names of asking.toml."""
        match slot:
            case "name":
                return replace(wish, name="")
            case "phone":
                return replace(wish, phone="")
            case "day":
                return replace(wish, when="", at="", said="")
            case "time" if wish.at:  # of the same day
                day = self._said(When(date=datetime.fromisoformat(wish.at).date()), self._seen.now)
                return replace(wish, when="", at="", said=day)
        return wish

    def _is_undone(self, wish: Wish, now: datetime) -> bool:
        """Return whether something in the turn takes its yes back, or names another time."""
        slots = self._finder.find(self._said_to(wish), now)
        is_other_time = bool(slots.when) and wish.when not in self.fitting(slots.when, now)
        is_taken_back = has_any(slots.words, self.take_backs)
        undoing = (part for part in self._seen.parts if part.kind in _UNDOING and not self._agrees(part, wish))
        return is_other_time or is_taken_back or any(undoing)

    def _agrees(self, part: Part, wish: Wish) -> bool:
        """Return whether a turn says yes to the question that was read back: all of it agrees, in words of a yes, of
        thanks, of the deed or of the question. What it sounds like otherwise is no yes.
        """
        lists = self._finder.words
        thanks = {word for phrase in (*lists.name_trails, *lists.preambles) if len(phrase) == 1 for word in phrase}
        tool = self.deed_of(wish)[0]
        known = {*normalise(self._question(wish)[0]), *deed_words(tool, self._language), *thanks}
        if not part.slots.when and not part.slots.digits:  # "yes, three" may be another hour
            known = {word for word in known if not word.isdecimal()}
        said = self._said_to(wish) or part.text
        return is_all_agreement(said, lists, asked=known, deeds=own_deeds(tool, self._language))

    def _said_to(self, wish: Wish) -> str:
        """The turn without what is no answer to the read-back of a wish."""
        return self._turn.without_added(self._seen.said)[0] if self.added(wish) else self._seen.said

    def names_wrong(self, dialogue: Dialogue) -> bool:
        """Return whether a turn says just that a slot of the read-back is wrong, whatever it sounds like otherwise."""
        wish, slots = dialogue.wish, self._finder.find(self._seen.said, self._seen.now)
        is_read_back = wish.kind == "book" and bool(wish.at) and self.asked(dialogue) == "confirm"
        if not is_read_back or slots.when or slots.services or slots.digits:
            return False
        is_corrected = bool(self._given.corrected(self._seen.said, wish.name, self._seen.now))
        return not is_corrected and self._without_wrong(wish, dialogue) != wish

    def added(self, wish: Wish) -> str:
        """Wish of a turn beside a booking that is read back: "yes, and one for my son on Friday"; empty: none."""
        kept, added = self._turn.without_added(self._seen.said)
        slots = self._finder.find(added, self._seen.now)
        is_another = bool(slots.when.has_day or slots.when.times) and wish.kind == "book" and bool(wish.at)
        agrees = not kept or opens_with_agreement(kept, self._finder.words)
        is_alone = is_another and not self._touches_open(added)
        return added if added and is_alone and agrees and self._question(wish)[1] == "confirm" else ""

    def _touches_open(self, added: str) -> bool:
        """Return whether what stands behind a yes may be said of the open booking too: it refuses, puts right, or names
        two days or two times, of which one may be for this booking ("one more on Friday, and make mine Wednesday").
        """
        lists = self._finder.words
        words = normalise(added)
        phrases = (*self.take_backs, *lists.objections, *lists.reserves, *lists.evidence["changes"])
        whens = [self._finder.find(clause, self._seen.now).when for clause in clauses_of(added)]
        is_twice = sum(when.has_day for when in whens) > 1 or sum(bool(when.times) for when in whens) > 1
        return is_twice or has_any(words, phrases)
