"""Judgements of a turn's end by its text, for the tests of predictions."""

from services.stt_proxy.end_of_turn.evidence import Evidence, Judgement, PausingHabit
from services.stt_proxy.end_of_turn.judging import judge
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.engine import ExpectedKind, Hints
from services.stt_proxy.phrasebook import phrasebook_of

OPEN = Hints()
WAITS = Waits(complete_ms=256, unfinished_ms=1200, no_text_ms=700)


def judged(text: str | None, language: str = "en", hints: Hints = OPEN, habit: PausingHabit | None = None) -> Judgement:
    return judge(Evidence(text, phrasebook_of(language), hints, habit=habit or PausingHabit()), WAITS)


def expecting(kind: ExpectedKind, length: int = 0) -> Hints:
    return Hints(expected_kind=kind, expected_length=length)
