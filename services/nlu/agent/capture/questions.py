"""Questions of a capture: what is asked, read back and expected of the caller in each of its states. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.language.capture_words import CaptureWords
from services.nlu.agent.capture.form import Form
from services.nlu.agent.capture.slots import CaptureState, Ended, Slot, SlotKind, Step
from services.nlu.outputs import ExpectedKind


@dataclass(frozen=True, slots=True)
class Expected:
    """The input that is expected next, for the STT stage."""

    kind: ExpectedKind
    length: int = 0
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """The result of a capture's turn: the state after it, what is said, and what is expected next."""

    state: CaptureState
    text: str
    expected: Expected
    read_back: str = ""  # what `text` says again of what the caller gave, and how many signs it asks for

    @property
    def value(self) -> str:
        """The value, once it is captured."""
        return self.state.value if self.state.ended is Ended.CAPTURED else ""


class Questions:
    """Words the questions of one slot in one language."""

    def __init__(self, slot: Slot, form: Form, words: CaptureWords, language_code: str) -> None:
        self._slot, self._form, self._words, self._language = slot, form, words, language_code

    def again(self, state: CaptureState) -> Captured:
        """The open question once more."""
        if state.is_confirming:
            return self.read_back(state)
        return self.ask(state)

    def ask(self, state: CaptureState) -> Captured:
        """Ask for the value in the way of the state's step."""
        size = str(self._form.sizes[0]) if state.step is Step.GROUPS and self._form.sizes else ""
        return Captured(state, self._question(state), self._expected(state), read_back=size)

    def go_on(self, state: CaptureState) -> Captured:
        """Ask for the next piece."""
        asks, said = self._words.asks, ""
        if state.step is Step.WHOLE or not state.pending:
            text = asks["go_on"]
        else:
            said = self._form.said(state.pending, is_spelled=False)
            is_local = self._slot.kind is SlotKind.EMAIL and "@" not in state.value
            key = "email_domain" if is_local else "single_next" if state.step is Step.SINGLES else "group_next"
            text = asks[key].format(value=said)
        return Captured(state, text, self._expected(state), said)

    def read_back(self, state: CaptureState, *, key: str = "confirm") -> Captured:
        """Read the value back, and ask for a yes."""
        state = replace(state, is_confirming=True, pending="")
        is_spelled = state.is_doubtful or state.step in (Step.SINGLES, Step.SPELLING)
        said = self._form.said(state.value, is_spelled=is_spelled)
        return Captured(state, self._words.asks[key].format(value=said), Expected(ExpectedKind.YES_NO), said)

    def ended(self, state: CaptureState, how: Ended) -> Captured:
        """Say how the capture has ended."""
        text = self._words.says["human" if how is Ended.HUMAN else "taken"]
        return Captured(replace(state, ended=how, is_confirming=False), text, Expected(ExpectedKind.OPEN))

    def _question(self, state: CaptureState) -> str:
        asks = self._words.asks
        match state.step:
            case Step.WHOLE:
                return self._slot.ask.get(self._language) or asks[str(self._slot.kind)]
            case Step.GROUPS if self._slot.kind is SlotKind.EMAIL:
                return asks["email_local"]
            case Step.GROUPS:
                return asks["groups"].format(n=self._form.sizes[0])
            case _:
                return asks[str(state.step)]

    def _expected(self, state: CaptureState) -> Expected:
        form, kind = self._form, self._form.expects
        if state.step in (Step.SPELLING, Step.SINGLES) and kind is not ExpectedKind.DIGITS:
            kind = ExpectedKind.SPELLING
        length = form.length
        if state.step is Step.GROUPS and form.sizes:
            length = form.sizes[min(state.n_pieces, len(form.sizes) - 1)]
        elif state.step is Step.SINGLES:
            length = 1
        elif length and state.value:
            length = max(0, length - len(state.value))
        return Expected(kind, length, form.phrases)
