"""The effects of the table in `floor.py`, by which moves change the call. `EFFECTS` maps each name to its function.

An effect that leads to a further move yields the move as a policy does.
"""

from collections.abc import Callable
from typing import Any, Final

from services.call_gateway.conversation.actions import do_action, watch_closing
from services.call_gateway.conversation.call import Call, Closing, reopen, say, stop_prompts
from services.call_gateway.conversation.commands import (
    CallerKeyed,
    CallerSaid,
    DiscardSent,
    DiscardUtterance,
    EndUtterance,
)
from services.call_gateway.conversation.endpointing import TurnEnd
from services.call_gateway.conversation.events import Stage
from services.call_gateway.conversation.floor import (
    Decision,
    Decisions,
    Effect,
    Interruption,
    LateWords,
    Loss,
    Move,
    NextTurn,
    NoPerson,
    Pause,
    Revision,
)
from services.call_gateway.conversation.record import EndReason, StageReason, StopReason, TurnNotes, TurnOutcome
from services.call_gateway.conversation.replying import (
    abandon_user_turn,
    ask,
    ask_ahead,
    begin_next_turn,
    begin_speech_again,
    begin_text_again,
    commit,
    drop_speculation,
    finish_reply,
    give_up_reply,
    heard_text,
    stop_making,
)
from services.call_gateway.conversation.user_turn import EndedTurn, Overlap, TakenTurn, Verdict, Wait
from services.call_gateway.line import EndCause
from services.call_gateway.prompts.book import PromptKind
from services.language.words import joined, normalise, word_ends

# -- the caller's turn -------------------------------------------------------------------------------------------------


def _speculate(call: Call, pause: Pause) -> None:
    turn, settings = call.user_turn, call.settings
    whole = joined(turn.prefix, pause.text)
    if turn.evidence.is_sounding or call.speculation.answers(whole):
        return  # the caller goes on already, or the same words are being answered
    drop_speculation(call)
    speech_ms = (pause.end_sample - pause.start_sample) * 1000 / call.clock.sample_rate_hertz
    may_be_made = call.speculation.made < settings.max_drafts and speech_ms <= settings.max_draft_speech_ms
    if may_be_made and normalise(whole) and call.is_open(Stage.NLU) and call.is_open(Stage.TTS):
        notes = TurnNotes(user_text=whole, text_timing=turn.text_timing, trace=turn.trace)
        reply = ask_ahead(call, turn.said(whole), notes, continues_turn_id=turn.continues_turn_id)
        call.speculation.make(reply, whole)


def _await_words(call: Call, end: TurnEnd) -> None:
    turn, settings, clock = call.user_turn, call.settings, call.clock
    if turn.unheard is not None and turn.unheard.wait is Wait.ASKED_AGAIN:
        turn.forget_unheard()  # the caller has said it once more
    after_sample = turn.evidence.ended_sample
    utterance = turn.evidence.end(end.end_sample)
    speech_end = end.end_sample if utterance.speech_end_sample is None else utterance.speech_end_sample
    detector_lag_ms = (end.end_sample - speech_end) * 1000 // clock.sample_rate_hertz
    least_sample = speech_end - clock.samples(settings.text_margin_ms)
    is_whole = bool(utterance.draft_text) and utterance.draft_covered_sample >= least_sample
    is_whole = is_whole and not turn.owes_earlier_words  # the STT stage sends those before the words of this turn
    limit_ms = settings.settle_limit_ms if is_whole else settings.settle_hard_limit_ms
    turn.ended = EndedTurn(
        end.end_sample,
        after_sample,
        after_sample if utterance.began_sample is None else utterance.began_sample,
        utterance.draft_text if is_whole else utterance.text,
        TurnNotes(
            end_reason=end.reason,
            end_probability=end.probability,
            speech_end_sample=speech_end,
            spoke_last_at=clock.wall_time(speech_end),
            draft_pause_ms=settings.draft_pause_ms + detector_lag_ms,
        ),
        clock.now + limit_ms / 1000,
        is_whole=is_whole,
        is_covered=utterance.covered_sample >= least_sample,
    )
    if is_whole and turn.unheard is None and call.speculation.answers(joined(turn.prefix, turn.ended.best_text)):
        # The settled text is not waited for. Where it turns out to have another meaning, it revises the turn.
        turn.ended.settled_text = turn.ended.best_text
    turn.awaited_end = end.end_sample
    call.command(EndUtterance(end.end_sample))


def _take_turn(call: Call, _detail: None) -> None:
    turn = call.user_turn
    ended, turn.ended = turn.ended, None
    if ended is None or ended.settled_text is None:
        return
    whole, notes = joined(turn.prefix, ended.settled_text), ended.notes
    notes.user_text, notes.text_timing, notes.trace = whole, turn.text_timing, turn.trace
    reply = commit(call, notes) if call.speculation.answers(whole) else None
    if reply is None:
        drop_speculation(call)
        reply = ask(call, turn.said(whole), notes, continues_turn_id=turn.continues_turn_id)
    notes.drafts_made, notes.drafts_dropped = call.speculation.made, call.speculation.dropped
    taken = TakenTurn(reply.turn_id, ended.end_sample, turn.utterance_id, ended.settled_text, turn.prefix)
    turn.taken.append(taken)
    begin_next_turn(call)


def _take_late_words(call: Call, late: LateWords) -> None:
    stop_prompts(call)
    call.user_turn.prefix, call.user_turn.ended = late.turn.said_before, late.turn
    late.turn.settled_text, late.turn.wait = late.text, Wait.USUAL


def _forget_turn(call: Call, no_person: NoPerson | None) -> None:
    call.user_turn.ended = None
    drop_speculation(call)
    if call.reply is not None:
        give_up_reply(call, TurnOutcome.INTERRUPTED, StopReason.NOTHING_SAID)
    if no_person is None:
        call.speculation.begin_turn()
    else:
        begin_next_turn(call)
        if no_person.is_doubtful:
            call.hang_up = None  # the caller who is asked has time to answer
            say(call, PromptKind.STILL_THERE)


# -- the caller over the agent -----------------------------------------------------------------------------------------


def _pause_playout(call: Call, _detail: None) -> None:
    began = call.user_turn.evidence.utterance.began_sample
    call.overlap = Overlap(call.clock.sample if began is None else began, call.clock.now)
    if call.playout.discard_sent():
        call.command(DiscardSent())


def _resume_playout(call: Call, verdict: Verdict) -> None:
    overlap, call.overlap = call.overlap, None
    evidence = call.user_turn.evidence
    call.counters[f"resumed_{verdict.value}"] += 1
    stopped = evidence.utterance.stopped_sample
    to_sample = call.clock.sample if stopped is None else stopped
    forget_sound(call, to_sample if overlap is None else overlap.began_sample, to_sample)
    if call.user_turn.ended is None:
        drop_speculation(call)
    if (voice := call.playout.current) is not None:
        voice.rewind(voice.word_start(voice.position))
    if call.reply is not None:
        call.reply.notes.stop_reason = verdict.value


def forget_sound(call: Call, from_sample: int, to_sample: int) -> None:
    """Forget the sound between two samples: it was no speech. If it goes on, the STT stage reports it again at once."""
    call.user_turn.evidence.end(to_sample)
    call.user_turn.last_text = None
    call.command(DiscardUtterance(from_sample, to_sample))


def _cancel_reply(call: Call, interruption: Interruption) -> Decisions:
    verdict, turn, overlap = interruption.verdict, call.user_turn, call.overlap
    call.overlap = None
    if interruption.is_by_keys:
        give_up_reply(call, TurnOutcome.INTERRUPTED, verdict.value)
        return
    call.counters[f"stopped_{verdict.value}"] += 1
    reply, ended = call.reply, turn.ended
    if ended is not None:
        turn.reopen(ended)
        drop_speculation(call)
        stop_prompts(call)
    elif reply is not None and _was_taken_too_early(call, overlap):
        turn.go_on_from(reply.notes.user_text, reply.turn_id)
        drop_speculation(call)
        give_up_reply(call, TurnOutcome.CONTINUED, verdict.value)
    else:
        give_up_reply(call, TurnOutcome.INTERRUPTED, verdict.value)
    utterance = turn.evidence.utterance
    if utterance.draft_text and utterance.began_sample is not None:
        pause = Pause(utterance.draft_text, utterance.began_sample, utterance.covered_sample)
        yield Decision(Move.PAUSE_HEARD, pause)


def _was_taken_too_early(call: Call, overlap: Overlap | None) -> bool:
    """Return whether the caller goes on with the turn that is being answered.

    That is so while nothing of the reply was heard, or at most one word of it within `recovery_window_ms`. Behind a
    doubtful end (probability below `doubtful_end`) more words and a longer window are allowed.
    """
    reply, settings = call.reply, call.settings
    if reply is None or not reply.is_to_speech:
        return False
    is_doubtful = reply.notes.end_probability < settings.doubtful_end
    max_words = settings.doubtful_recovery_words if is_doubtful else 1
    window_ms = settings.doubtful_recovery_window_ms if is_doubtful else settings.recovery_window_ms
    if len(word_ends(heard_text(call, reply))) > max_words:
        return False
    if reply.notes.first_frame_at is None:
        return True
    began = call.clock.wall if overlap is None else call.clock.wall_time(overlap.began_sample)
    return began - reply.notes.first_frame_at <= window_ms / 1000


# -- the reply ---------------------------------------------------------------------------------------------------------


def _ask_agent(call: Call, turn: NextTurn) -> None:
    began = call.user_turn.evidence.utterance.began_sample
    if isinstance(turn.input, CallerKeyed):  # they take the place of what is being said
        abandon_user_turn(call)
        if began is not None:
            forget_sound(call, began, call.clock.sample)
    ask(call, turn.input, turn.notes)


def _ask_again(call: Call, revision: Revision) -> None:
    old = call.reply
    if old is None:
        return
    notes = TurnNotes(
        user_text=revision.text,
        end_reason=EndReason.CORRECTED,
        speech_end_sample=old.notes.speech_end_sample,
        spoke_last_at=old.notes.spoke_last_at,
    )
    give_up_reply(call, TurnOutcome.CONTINUED, StopReason.CORRECTED)
    ask(call, CallerSaid(revision.text), notes, continues_turn_id=old.turn_id)


def _finish_reply(call: Call, outcome: TurnOutcome) -> Decisions:
    for asked in finish_reply(call, outcome):
        yield from do_action(call, asked)


def _abandon_reply(call: Call, loss: Loss) -> None:
    give_up_reply(call, TurnOutcome.FAILED, StageReason(loss.reason.lower()))
    if loss.prompt is not None:
        say(call, loss.prompt)


def _retry_reply(call: Call, stage: Stage) -> None:
    reply = call.reply
    if reply is None:
        return
    reply.retries += 1
    reopen(call, stage)
    if stage is Stage.TTS:
        begin_speech_again(call, reply)
    elif begin_text_again(call, reply):
        reopen(call, Stage.TTS)
    reply.waits_since = call.clock.waiting


# -- the end -----------------------------------------------------------------------------------------------------------


def _close(call: Call, closing: Closing) -> None:
    call.closing = closing
    closing.deadline = call.clock.wall + (0 if closing.is_all_heard else call.settings.closing_limit_ms / 1000)
    abandon_user_turn(call)
    voice = call.playout.current
    if closing.is_after_word and voice is not None:
        stop_making(call)
        voice.cut(voice.word_end(voice.position))
        return
    give_up_reply(
        call,
        TurnOutcome.FAILED if closing.cause is EndCause.FAILURE else TurnOutcome.INTERRUPTED,
        StopReason(closing.cause.value),
    )
    if closing.prompt is not None:
        say(call, closing.prompt)
    watch_closing(call)


EFFECTS: Final[dict[Effect, Callable[[Call, Any], Decisions | None]]] = {
    Effect.NOTHING: lambda _call, _detail: None,
    Effect.SPECULATE: _speculate,
    Effect.DROP_SPECULATION: lambda call, _detail: drop_speculation(call),
    Effect.AWAIT_WORDS: _await_words,
    Effect.TAKE_TURN: _take_turn,
    Effect.TAKE_LATE_WORDS: _take_late_words,
    Effect.FORGET_TURN: _forget_turn,
    Effect.PAUSE_PLAYOUT: _pause_playout,
    Effect.RESUME_PLAYOUT: _resume_playout,
    Effect.CANCEL_REPLY: _cancel_reply,
    Effect.ASK_AGENT: _ask_agent,
    Effect.ASK_AGAIN: _ask_again,
    Effect.FINISH_REPLY: _finish_reply,
    Effect.ABANDON_REPLY: _abandon_reply,
    Effect.RETRY_REPLY: _retry_reply,
    Effect.CLOSE: _close,
}
