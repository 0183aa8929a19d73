"""Verdicts of the scenarios: one line each, computed from the events and recordings of the call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from voice.call.v1 import record_pb2

from clients.phone.booking import TOLD, is_told
from clients.phone.evidence import Evidence, Remark

_Outcome = record_pb2.TurnRecord
_STOP_LIMIT_MS: Final = 1000  # later, the caller has finished and nothing was interrupted
_HESITATION_LIMIT_MS: Final = 500  # of an agent that hears its own echo
_UNDER_WAY_S: Final = 0.3  # so lately heard, the agent is still speaking: between two sentences
_SENT_EARLIER_S: Final = 0.2  # what is on its way still arrives


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a scenario, with the reason for it."""

    is_seen: bool
    text: str


def judge_barge_in(evidence: Evidence) -> Verdict:
    """The caller spoke over the agent: it must fall silent, end its answer, and answer what was said."""
    remark = _over_the_agent(evidence, "interruption")
    if isinstance(remark, Verdict):
        return remark
    turns = evidence.turns(after_s=remark.start_s)
    if not turns or turns[0].outcome != _Outcome.OUTCOME_INTERRUPTED:
        return Verdict(False, f"the agent was not interrupted: {_ending(turns)}")
    interrupted = evidence.moves(record_pb2.FLOOR_LISTENING, from_s=remark.start_s)
    decided_s = interrupted[0].at_s if interrupted else remark.end_s
    last_s = max(sound.end_s for sound in evidence.agent if sound.start_s <= decided_s)
    silent_ms = max(0.0, last_s - remark.start_s) * 1000
    told = (
        f"the agent stopped {silent_ms:.0f} ms after the caller began ({turns[0].stop_reason}); "
        f'heard: "{turns[0].heard_text.strip()}"'
    )
    answer = next((turn for turn in turns[1:] if turn.user_text and turn.heard_text), None)
    if answer is None:
        return Verdict(False, f"{told}; but what the caller said was not answered")
    return Verdict(silent_ms <= _STOP_LIMIT_MS, f'{told}; then answered "{answer.user_text.strip()}"')


def judge_backchannel(evidence: Evidence) -> Verdict:
    """The caller said "uh-huh" over the agent: it must go on, to the end."""
    remark = _over_the_agent(evidence, "backchannel")
    if isinstance(remark, Verdict):
        return remark
    turns = evidence.turns(after_s=remark.start_s)
    if not turns or turns[0].outcome != _Outcome.OUTCOME_COMPLETED:
        return Verdict(False, f"the agent did not go on to the end: {_ending(turns)}")
    if len(turns) > 1:
        return Verdict(False, f'the agent took it for a question: "{turns[1].user_text.strip()}"')
    if all(sound.end_s <= remark.end_s for sound in evidence.agent):
        return Verdict(False, "the agent was not heard any more after it")
    paused = evidence.moves(record_pb2.FLOOR_PAUSED, from_s=remark.start_s - _UNDER_WAY_S)
    why = f" ({turns[0].stop_reason})" if turns[0].stop_reason else ""
    if not paused:
        return Verdict(True, f'the agent went on without a pause; heard: "{turns[0].heard_text.strip()}"')
    return Verdict(True, f'{_gap(evidence, remark)}{why}; heard to its end: "{turns[0].heard_text.strip()}"')


def judge_pause(evidence: Evidence) -> Verdict:
    """The caller paused in mid-sentence: the agent must wait, and answer the whole."""
    remark = evidence.remark("pause")
    if remark is None or len(remark.sounds) < 2:
        return Verdict(False, "the caller's pause did not come to pass")
    pause_s = max(after.start_s - before.end_s for before, after in zip(remark.sounds, remark.sounds[1:], strict=False))
    told = f"the caller paused {pause_s * 1000:.0f} ms in mid-sentence"
    if any(remark.start_s < sound.end_s and sound.start_s < remark.end_s for sound in evidence.agent):
        return Verdict(False, f"{told} and was cut off: the agent spoke")
    if evidence.moves(record_pb2.FLOOR_THINKING, from_s=remark.start_s, to_s=remark.end_s):
        return Verdict(False, f"{told} and the turn was taken there, too early")
    turns = [turn for turn in evidence.turns(after_s=remark.end_s) if turn.user_text]
    if len(turns) != 1 or not turns[0].heard_text:
        return Verdict(False, f"{told}; instead of one answer there were {len(turns)}")
    latency_ms = next((asked.latency_ms for asked in evidence.asked if asked.latency_ms is not None), 0.0)
    return Verdict(
        True,
        f"{told} and the agent waited; {turns[0].drafts_made} drafts, {turns[0].drafts_dropped} dropped; answered "
        f'{latency_ms:.0f} ms after the end ({turns[0].end_reason}): "{turns[0].user_text.strip()}"',
    )


def judge_echo(evidence: Evidence) -> Verdict:
    """The line returned the agent's voice: it must neither stop nor answer itself."""
    turns = [turn for turn in evidence.turns() if turn.outcome != _Outcome.OUTCOME_CONTINUED]
    questions = [turn.user_text.strip() for turn in turns if turn.user_text]
    if len(questions) != len(evidence.asked) or not questions:
        return Verdict(False, f"of {len(evidence.asked)} questions the agent made {len(questions)}: {questions}")
    broken = [turn for turn in turns if turn.outcome != _Outcome.OUTCOME_COMPLETED]
    if broken:
        return Verdict(False, f"the agent was stopped by its own voice: {_ending(broken)}")
    pauses_ms = [(to_s - from_s) * 1000 for from_s, to_s in evidence.stays(record_pb2.FLOOR_PAUSED)]
    told = f"the agent was not disturbed by its own voice in {len(turns)} turns"
    if not pauses_ms:
        return Verdict(True, f"{told} and never hesitated")
    told = f"{told}; it hesitated {len(pauses_ms)} times, {max(pauses_ms):.0f} ms at the longest"
    return Verdict(max(pauses_ms) <= _HESITATION_LIMIT_MS, told)


def judge_hold(evidence: Evidence) -> Verdict:
    """The caller put the call on hold in mid-answer: the agent must wait and then say the rest."""
    remark = _over_the_agent(evidence, "hold")
    if isinstance(remark, Verdict):
        return remark
    held = [stay for stay in evidence.stays(record_pb2.FLOOR_HELD) if stay[1] >= remark.start_s]
    if not held:
        return Verdict(False, "the gateway did not notice the hold")
    quiet_s, noisy_s = remark.start_s + _SENT_EARLIER_S, remark.end_s - _SENT_EARLIER_S
    if any(quiet_s < sound.end_s and sound.start_s < noisy_s for sound in evidence.agent):
        return Verdict(False, "the agent spoke during the hold")
    after = [sound for sound in evidence.agent if sound.start_s >= noisy_s]
    turns = evidence.turns(after_s=remark.start_s)
    if not after or not turns or turns[0].outcome != _Outcome.OUTCOME_COMPLETED:
        return Verdict(False, f"the agent did not say the rest: {_ending(turns)}")
    went_on_ms = max(0.0, after[0].start_s - remark.end_s) * 1000
    return Verdict(
        True,
        f"the agent was silent for {held[0][1] - held[0][0]:.1f} s of hold and went on {went_on_ms:.0f} ms after it; "
        f'heard to its end: "{turns[0].heard_text.strip()}"',
    )


def judge_booking(evidence: Evidence) -> Verdict:
    """The caller booked: it must be told as booked, and stand in the diary once."""
    told = [turn.heard_text.strip() for turn in evidence.turns() if any(is_told(turn.heard_text, tag) for tag in TOLD)]
    if not told:
        return Verdict(False, f"the agent never said that it is booked: {_ending(evidence.turns()[-1:])}")
    if len(evidence.booked) != 1:
        return Verdict(
            False, f"{len(evidence.booked)} appointments came into the diary, and the agent said: {told[0]!r}"
        )
    return Verdict(True, f'the agent said "{told[0]}", and the diary has {evidence.booked[0]}')


VERDICTS: Final[Mapping[str, Callable[[Evidence], Verdict]]] = {
    "barge-in": judge_barge_in,
    "backchannel": judge_backchannel,
    "pause": judge_pause,
    "echo": judge_echo,
    "echo-barge-in": judge_barge_in,
    "booking": judge_booking,
    "hold": judge_hold,
}


def _over_the_agent(evidence: Evidence, name: str) -> Remark | Verdict:
    """The remark, if the agent was speaking when it began."""
    remark = evidence.remark(name)
    if remark is None:
        return Verdict(False, f"it did not come to the {name}: the agent said too little")
    if not any(sound.start_s <= remark.start_s <= sound.end_s + _UNDER_WAY_S for sound in evidence.agent):
        return Verdict(False, f"the agent was not speaking when the {name} came")
    return remark


def _gap(evidence: Evidence, remark: Remark) -> str:
    """Return how long the agent paused for the remark, by the phone's own recording."""
    for before, after in zip(evidence.agent, evidence.agent[1:], strict=False):
        if before.start_s <= remark.start_s <= after.start_s:
            silent_ms, pause_ms = (before.end_s - remark.start_s) * 1000, (after.start_s - before.end_s) * 1000
            return f"the agent paused {max(0.0, silent_ms):.0f} ms after it began and went on {pause_ms:.0f} ms later"
    return "the agent paused for less than can be heard and went on"


def _ending(turns: list[record_pb2.TurnRecord]) -> str:
    if not turns:
        return "no turn was over after that"
    outcome = _Outcome.Outcome.Name(turns[0].outcome)[8:].lower()
    reason = f" ({turns[0].stop_reason})" if turns[0].stop_reason else ""
    return f'turn {turns[0].turn_id} {outcome}{reason}, heard: "{turns[0].heard_text.strip()}"'
