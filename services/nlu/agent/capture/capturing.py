"""Capture of one slot, from its question to a value that the caller has heard and confirmed. Sans-IO.

The caller is asked for the whole, then for groups, then for one sign at a time, then for keys or the spelling; what
fails there too is left to a person. A step that fails twice is never asked a third time, so no capture goes on for
ever. A piece that is not the whole is kept, and the next one is joined to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.language.capture_words import cut
from services.language.dictation import Dictation, Kind, starts_with
from services.language.phrases import fold
from services.nlu.agent.capture.code import CodeForm
from services.nlu.agent.capture.correcting import Corrections
from services.nlu.agent.capture.email import EmailForm
from services.nlu.agent.capture.form import Extent, Form, best
from services.nlu.agent.capture.names import NameFinder, NameForm
from services.nlu.agent.capture.phone import PhoneForm
from services.nlu.agent.capture.questions import Captured, Questions
from services.nlu.agent.capture.slots import CaptureState, Ended, Slot, SlotKind, Step
from services.nlu.agent.graph.asking import asking

_MOST_FAILURES = 2  # in one step
_QUESTION_MARKS = ("?", "？")
_FEWEST_BEGUN = 3  # digits
_MOST_PIECES = 20
_MOST_CORRECTIONS = 4  # of one value that was read back
_LADDERS: Mapping[SlotKind, tuple[Step, ...]] = {
    SlotKind.PHONE: (Step.WHOLE, Step.GROUPS, Step.SINGLES, Step.KEYS),
    SlotKind.CODE: (Step.WHOLE, Step.GROUPS, Step.SINGLES, Step.SPELLING),
    SlotKind.EMAIL: (Step.WHOLE, Step.GROUPS, Step.SPELLING),
    SlotKind.NAME: (Step.WHOLE, Step.SPELLING),
}


class Capture:
    """Captures one slot in one language."""

    def __init__(self, slot: Slot, language_code: str, *, region: str = "", is_confirmed: bool = True) -> None:
        """`region` is that of telephone numbers (ISO 3166-1). Without `is_confirmed` a value that was taken at once is
        not read back here: the agent has a question of its own that holds it.

        Raises LanguageDataError where the language has no capture.toml.
        """
        self.slot, self._is_confirmed = slot, is_confirmed
        self._dictation = Dictation(language_code)
        self._words = self._dictation.words
        self.form: Form = _form_of(slot, self._dictation, language_code, region)
        has_letters = slot.kind is not SlotKind.PHONE and not slot.is_numeric
        is_name = slot.kind is SlotKind.NAME
        self._corrections = Corrections(
            self._dictation, with_letters=has_letters, with_digits=not is_name, is_plain=not is_name
        )
        self.questions = Questions(slot, self.form, self._words, language_code)
        self._ladder = (*_LADDERS[slot.kind][:-1], Step.KEYS) if slot.is_numeric else _LADDERS[slot.kind]

    # Asking

    def open(self, *, known: str = "", is_doubtful: bool = False) -> Captured:
        """Ask for the slot; `known` is a value that has come another way, and is only confirmed."""
        state = CaptureState(self.slot.name, is_doubtful=is_doubtful)
        if known and self.form.extent(known) is Extent.WHOLE:
            state = replace(state, value=self.form.final(known), is_known=True)
            return self.questions.read_back(state, key="phone_known" if self._is_phone else "confirm")
        return self.questions.ask(state)

    def doubt(self, value: str) -> Captured:
        """Read a value back that was badly heard."""
        return self.questions.read_back(CaptureState(self.slot.name, value=value, is_doubtful=True))

    def said(self, value: str) -> str:
        """A value as it is read back in a sentence of the agent's."""
        return self.form.said(value, is_spelled=False)

    # Taking

    def spells(self, text: str) -> int:
        """Return how many letters of a text are spelled one by one."""
        return sum(len(sign.text) for sign in self._dictation.signs(text) if sign.kind is Kind.LETTER)

    def names_digits(self, text: str) -> bool:
        """Return whether a text has so many digits that it begins a number."""
        return len(self._dictation.digits(text)) >= _FEWEST_BEGUN

    def names_sign(self, text: str) -> bool:
        """Return whether a text speaks of digits or letters: "the last digit is two"."""
        tokens = self._tokens(text)
        return any(starts_with(tokens, at, self._words.lists["units"]) for at in range(len(tokens)))

    def names_place(self, text: str) -> bool:
        """Return whether a text names a place in what was read back: "the last", "ends in"."""
        return self.names_sign(text) or self._corrections.names_place(text)

    def is_about(self, text: str, state: CaptureState) -> bool:
        """Return whether a text says anything that belongs to the slot."""
        plain = self._tokens(text)
        if self._holds(plain, "restarts") or self.form.read(text) or self._corrections.of(text, state.value, ()):
            return True
        answer, _ = self._answer(text)
        return self._names_own(text, state) or (bool(answer) and (state.is_confirming or bool(state.value)))

    def take(self, state: CaptureState, text: str, *, is_keys: bool = False) -> Captured:
        """Return what the caller says, or keys in, to the open question."""
        if is_keys:
            return self._took(replace(state, value=""), [text.strip("*#")])
        if self._holds(self._tokens(text), "restarts"):
            state = replace(state, value="", pending="", is_confirming=False, n_pieces=0)
            return self.questions.ask(state)
        if state.is_confirming:
            return self._answered(state, text)
        return self._dictated(state, text)

    def corrected(self, text: str, value: str) -> str:
        """A value that was read back as part of a larger question, with what the text puts right; empty: nothing."""
        _, rest = self._answer(text)
        found = self._corrected(rest, text, value)
        if not found or found == value or self.form.extent(found) is not Extent.WHOLE:
            named = self._corrections.of(text, value, self.form.groups(value))  # its "no" may be a part of "not this"
            found = best(self.form, named) if named else found
        return self.form.final(found) if found and self.form.extent(found) is Extent.WHOLE and found != value else ""

    def _dictated(self, state: CaptureState, text: str) -> Captured:
        """More of the value, or all of it."""
        answer, rest = self._answer(text)
        if answer == "no" and (state.value or not self.form.read(text)):
            return self._taken_back(state, rest)
        is_bare = bool(answer) and not rest and self.slot.kind is SlotKind.NAME  # "yes" is no name
        read = () if is_bare else self.form.read(text)
        values = [self.form.final(one) if self._is_whole(one) else one for one in read]
        if not values:
            return self._unclear(state)
        joined = [one for new in values for one in self.form.joined(state.value, new)]
        if self.slot.kind is SlotKind.NAME:
            joined = [one for new in values for one in self.form.joined(state.rejected, new)]
        return self._took(state, joined, pieces=values)

    def _taken_back(self, state: CaptureState, rest: str) -> Captured:
        """A no in the middle: the last piece was wrong."""
        before = state.value.removesuffix(state.pending) if state.pending else ""
        if not before and not state.pending and not self.form.read(rest):
            return self._failed(state)
        values = self.form.read(rest)
        if not values:
            return self._unclear(replace(state, value=before, pending=""))
        mended = self._corrections.of(rest, state.value, self.form.groups(state.value))
        joined = [*mended, *(one for new in values for one in self.form.joined(before, new))]
        after = self._took(replace(state, value=before, pending=""), joined, pieces=values)
        return self._unclear(state) if after.state.value == state.value else after  # what was wrong is heard again

    def _took(self, state: CaptureState, values: Sequence[str], *, pieces: Sequence[str] = ()) -> Captured:
        """The value may be one of these now."""
        value = best(self.form, values)
        match self.form.extent(value) if value else Extent.WRONG:
            case Extent.WHOLE:
                value = self.form.final(value)
                state = replace(state, value=value, pending="", n_failures=0)
                needs_yes = self._is_confirmed or state.is_doubtful or state.step is not Step.WHOLE
                return self.questions.read_back(state) if needs_yes else self.questions.ended(state, Ended.CAPTURED)
            case Extent.PART if value == state.value:  # nothing new
                return self._unclear(state)
            case Extent.PART if state.n_pieces < _MOST_PIECES:
                new = value.removeprefix(state.value) if value.startswith(state.value) else value
                state = replace(state, value=value, pending=new, n_pieces=state.n_pieces + 1, n_failures=0)
                return self.questions.go_on(state)
        return self._wrong(state, value or next(iter(pieces), ""))

    # The read-back

    def _answered(self, state: CaptureState, text: str) -> Captured:
        """The answer to a value that was read back."""
        answer, rest = self._answer(text)
        if not answer and self._names_own(text, state):
            return self.questions.ended(state, Ended.CAPTURED)
        found = self._corrected(rest, text, state.value)
        found = "" if answer == "yes" and len(found) == 1 and not self._is_whole(found) else found  # "that's the one"
        if answer == "yes" and self.slot.kind is SlotKind.NAME and not self.spells(rest):
            found = ""  # "yes, that's me"
        if found == state.value and answer != "no":
            return self.questions.ended(state, Ended.CAPTURED)
        is_spelled = found == state.value and self.spells(rest) > 1  # "no, K E A N E"
        if found and (found != state.value or is_spelled) and state.n_failures < _MOST_CORRECTIONS:
            return self._put_right(replace(state, is_doubtful=state.is_doubtful or is_spelled), found)
        if answer == "yes" and not found and not text.rstrip().endswith(_QUESTION_MARKS):
            return self.questions.ended(state, Ended.CAPTURED)
        if answer == "no" or found:
            return self._failed(replace(state, value="", rejected=state.value, is_confirming=False))
        return self._unclear(state)

    def _names_own(self, text: str, state: CaptureState) -> bool:
        """Return whether the number that calls, which was offered, is meant: "the one I'm calling from"."""
        tokens = self._tokens(text)
        is_refused = any(opening and self._finds(tokens, opening) for opening, _ in self._words.wrong_first)
        return state.is_known and self._is_phone and not is_refused and self._holds(tokens, "own_number")

    def _finds(self, tokens: Sequence[str], phrase: Sequence[str]) -> bool:
        return any(tuple(tokens[at : at + len(phrase)]) == tuple(phrase) for at in range(len(tokens)))

    def _put_right(self, state: CaptureState, found: str) -> Captured:
        if self.form.extent(found) is not Extent.WHOLE:
            return self._wrong(replace(state, is_confirming=False), found)
        return self.questions.read_back(replace(state, value=self.form.final(found), n_failures=state.n_failures + 1))

    def _corrected(self, rest: str, text: str, value: str) -> str:
        """Return what a value becomes by what was said of it: a part put right, a piece without its place, or all of
        it.
        """
        if not rest:
            return ""
        named = self._corrections.of(rest, value, self.form.groups(value))
        if named:
            return best(self.form, named)
        new = [one for said in (rest, text) for one in self.form.read(said)]
        if self.slot.kind is SlotKind.NAME:
            return best(self.form, [one for each in new for one in self.form.joined(value, each)])
        whole = [self.form.final(one) for one in new if self._is_whole(one)]
        if isinstance(self.form, EmailForm):
            return next(iter([*whole, *self.form.mended(value, rest)]), next(iter(new), ""))
        longer = [one for one in (value + each for each in new) if self._is_whole(one)]
        aligned = [one for each in new for one in self._corrections.aligned(each, value) if self._is_whole(one)]
        return next(iter([*whole, *longer, *aligned]), next(iter(new), ""))

    # Failures

    def _wrong(self, state: CaptureState, value: str) -> Captured:
        """Refuse a value that cannot be right: the caller hears what was understood, and is asked in another way."""
        said = self.said(value) if value else ""
        text = self._words.says[f"no_{self.slot.kind}"].format(value=said) if said else ""
        after = self._failed(replace(state, value="", pending=""))
        return replace(
            after,
            text=f"{text} {after.text}".strip(),
            read_back=". ".join(one for one in (said, after.read_back) if one),
        )

    def _unclear(self, state: CaptureState) -> Captured:
        """Ask the question once more, then in other words: nothing of what was said belongs to the slot."""
        failures = state.n_failures + 1
        if failures >= _MOST_FAILURES:
            return self._failed(replace(state, is_confirming=False))
        after = self.questions.again(replace(state, n_failures=failures))
        if state.value and not state.is_confirming:
            after = self.questions.go_on(after.state)
        return replace(after, text=f"{self._words.says['not_understood']} {after.text}")

    def _failed(self, state: CaptureState) -> Captured:
        """The next step; behind the last a person. A value that came another way costs no step."""
        at = self._ladder.index(state.step) + (0 if state.is_known else 1)
        if at >= len(self._ladder):
            return self.questions.ended(state, Ended.HUMAN)
        state = CaptureState(self.slot.name, step=self._ladder[at], rejected=state.rejected)
        return self.questions.ask(state)

    # Words

    def _is_whole(self, value: str) -> bool:
        return self.form.extent(value) is Extent.WHOLE

    @property
    def _is_phone(self) -> bool:
        return self.slot.kind is SlotKind.PHONE

    def _tokens(self, text: str) -> tuple[str, ...]:
        return tuple(piece.text for piece in cut(text))

    def _holds(self, tokens: Sequence[str], key: str) -> bool:
        return any(starts_with(tokens, at, self._words.lists[key]) for at in range(len(tokens)))

    def _answer(self, text: str) -> tuple[str, str]:
        """The yes or no that a text begins with, and what it says behind that."""
        pieces, lists = cut(text), self._words.lists
        tokens, at, answer = [piece.text for piece in pieces], 0, ""
        while at < len(tokens):
            if tokens[at] in ",.!;":
                at += 1
            elif n := starts_with(tokens, at, lists["no"]):
                answer, at = "no", at + n
            elif n := starts_with(tokens, at, lists["yes"]):
                answer, at = answer or "yes", at + n
            elif n := starts_with(tokens, at, lists["fillers"]):
                at += n
            else:
                break
        return answer, fold(text)[pieces[at].start :] if at < len(pieces) else ""


def _form_of(slot: Slot, dictation: Dictation, language_code: str, region: str) -> Form:
    match slot.kind:
        case SlotKind.PHONE:
            return PhoneForm(dictation, region)
        case SlotKind.EMAIL:
            return EmailForm(dictation)
        case SlotKind.NAME:
            return NameForm(dictation, NameFinder(language_code, asking(language_code)))
    return CodeForm(dictation, slot)
