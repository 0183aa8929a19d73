"""Judgement on a pause: what can be counted is counted, all else is predicted, and one curve gives the wait."""

from dataclasses import replace

from services.stt_proxy.end_of_turn.countable import CERTAINTIES, counted
from services.stt_proxy.end_of_turn.evidence import NO_DOUBT, Evidence, Judgement, PausingHabit, Reason
from services.stt_proxy.end_of_turn.predictor import DEFAULT, Predictor
from services.stt_proxy.end_of_turn.wait_curve import OVER, SURELY_OVER, UNLIKELY, Waits, wait_ms


def judge(evidence: Evidence, waits: Waits, predictor: Predictor = DEFAULT) -> Judgement:
    """Weigh the evidence of one pause."""
    if (reason := counted(evidence)) is not None:
        return Judgement(CERTAINTIES[reason].value, _counted_wait_ms(reason, waits, evidence.habit), reason)
    probability = predictor.probability(evidence)
    reason = _reason(probability, evidence, predictor)
    usual_ms = _habitual_ms(reason, evidence.habit)
    return Judgement(probability, min(max(wait_ms(probability, waits), usual_ms), waits.longest_ms), reason)


def _reason(probability: float, evidence: Evidence, predictor: Predictor) -> Reason:
    """The name of the stretch of the curve that the probability lies on."""
    if probability >= SURELY_OVER:
        return Reason.CONCLUDED
    if probability >= OVER:
        return Reason.COMPLETE
    if evidence.doubt != NO_DOUBT and predictor.probability(replace(evidence, doubt=NO_DOUBT)) >= OVER:
        return Reason.UNSURE
    return Reason.MAY_GO_ON if probability > UNLIKELY else Reason.UNFINISHED


def _habitual_ms(reason: Reason, habit: PausingHabit) -> int:
    """Return the least wait by this caller's pauses: by those behind whole words where the words look whole."""
    match reason:
        case Reason.CONCLUDED:
            return 0
        case Reason.COMPLETE | Reason.UNSURE:
            return habit.wait_ms
    return habit.any_wait_ms


def _counted_wait_ms(reason: Reason, waits: Waits, habit: PausingHabit) -> int:
    match reason:
        case Reason.NO_TEXT:
            return waits.no_text_ms
        case Reason.MAY_GO_ON:
            return min(max(waits.may_go_on_ms, habit.any_wait_ms), waits.longest_ms)
        case Reason.DIGITS_EXPECTED | Reason.SPELLING_EXPECTED:
            return max(waits.unfinished_ms, habit.wait_ms)
    return waits.complete_ms
