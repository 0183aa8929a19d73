"""Functions of the call that ask for, commit, speak, report, stop and retry replies.

At most one reply is committed and one speculative at a time. Events of any other turn are late and refused.
"""

from services.call_gateway.conversation.call import Call, stop_prompts
from services.call_gateway.conversation.commands import (
    CancelTurn,
    CommitTurn,
    DiscardSent,
    ReportAction,
    ReportPlayout,
    StopSpeech,
    TurnFinished,
    TurnInput,
    UpdateStt,
)
from services.call_gateway.conversation.events import (
    ActionAsked,
    ExpectedKind,
    InputExpected,
    Outcome,
    ReplyClause,
    ReplyEnded,
    ReplyEvent,
    Stage,
    VoiceAudio,
    VoiceEnded,
    VoiceMark,
)
from services.call_gateway.conversation.record import HeardTurn, StageReason, StopReason, TurnNotes, TurnOutcome
from services.call_gateway.conversation.reply import Reply, SpeechPhase, TextPhase

# -- asked and committed -----------------------------------------------------------------------------------------------


def ask(call: Call, turn_input: TurnInput, notes: TurnNotes, *, continues_turn_id: int = 0) -> Reply:
    """Begin a committed turn. A reply that is still there is given up."""
    if call.reply is not None:
        give_up_reply(call, TurnOutcome.INTERRUPTED, StopReason.SUPERSEDED)
    call.reply = reply = _new_reply(call, turn_input, notes, continues_turn_id)
    _take(call, reply)
    _send(call, reply)
    return reply


def ask_ahead(call: Call, turn_input: TurnInput, notes: TurnNotes, *, continues_turn_id: int) -> Reply:
    """Begin a speculative turn beside the reply, if there is one. There must be no other speculative one."""
    reply = _new_reply(call, turn_input, notes, continues_turn_id)
    reply.is_speculative = True
    provisional = None
    if call.reply is not None:
        provisional = ReportPlayout(call.reply.turn_id, heard_offset(call, call.reply), is_final=False)
    _send(call, reply, provisional)
    call.counters["drafts_made"] += 1
    return reply


def commit(call: Call, notes: TurnNotes) -> Reply | None:
    """Make the speculative reply the reply: its sound so far goes out at once. `notes` say how the turn was taken.
    Returns None when there is no speculative reply.
    """
    reply = call.speculation.take()
    if reply is None:
        return None
    notes.take_over_draft(reply.notes)
    reply.notes, reply.is_speculative = notes, False
    call.reply = reply
    _take(call, reply)
    call.command(CommitTurn(reply.turn_id))
    if reply.expected is not None:
        _expect(call, reply.expected)
    call.counters["drafts_used"] += 1
    return reply


def drop_speculation(call: Call) -> None:
    """Drop the speculative reply, if there is one, and cancel its turn in the stages."""
    reply = call.speculation.take()
    if reply is None:
        return
    call.speculation.dropped += 1
    call.command(CancelTurn(reply.turn_id, only=True), StopSpeech(reply.turn_id, only=True))
    timing = reply.notes.clause_timing
    call.counters["drafts_dropped"] += 1
    call.counters["drafts_wasted_us"] += timing.compute_us if timing is not None else 0
    for asked in reply.actions:
        call.command(ReportAction(asked.action_id, is_done=False))


def _new_reply(call: Call, turn_input: TurnInput, notes: TurnNotes, continues_turn_id: int) -> Reply:
    turn_id = call.new_turn_id()
    return Reply(
        turn_id,
        turn_input,
        call.language_code,
        call.new_voice(turn_id),
        notes,
        continues_turn_id=continues_turn_id,
    )


def _take(call: Call, reply: Reply) -> None:
    """Make a reply the agent's turn: it is put into the playout, and what the last turn expected no longer holds."""
    clock = call.clock
    reply.notes.taken_at, reply.waits_since = clock.wall, clock.waiting
    spoke_last_at = reply.notes.spoke_last_at
    reply.silent_since = clock.waiting - (0.0 if spoke_last_at is None else clock.wall - spoke_last_at)
    call.playout.enqueue(reply.voice)
    if call.expected.kind is not ExpectedKind.OPEN:
        _expect(call, InputExpected(reply.turn_id, ExpectedKind.OPEN))


def _send(call: Call, reply: Reply, provisional_playout: ReportPlayout | None = None) -> None:
    reply.notes.asked_at = reply.notes.asked_at or call.clock.wall
    if call.is_open(Stage.NLU):
        reply.text = TextPhase.ASKED
        call.command(reply.request(provisional_playout=provisional_playout))


def _expect(call: Call, expected: InputExpected) -> None:
    call.expected = expected
    call.command(UpdateStt(call.clock.sample, expected=expected))


# -- written and spoken ------------------------------------------------------------------------------------------------


def on_reply_event(call: Call, event: ReplyEvent) -> Reply | None:
    """Take in an event of a live reply and return the reply. None: the turn is over, was cancelled or never begun."""
    reply = call.find_reply(event.turn_id)
    if reply is None or reply.text is TextPhase.UNSENT or not _take_in(call, reply, event):
        call.refuse(event)
        return None
    return reply


def _take_in(call: Call, reply: Reply, event: ReplyEvent) -> bool:
    match event:
        case ReplyClause():
            return _on_clause(call, reply, event)
        case InputExpected():
            reply.expected = event
            if not reply.is_speculative:
                _expect(call, event)
        case ReplyEnded():
            return _on_reply_ended(call, reply, event)
        case VoiceMark():
            reply.voice.mark(event)
        case VoiceAudio():
            return _on_audio(call, reply, event)
        case VoiceEnded():
            return _on_voice_ended(reply, event)
    return True


def _on_clause(call: Call, reply: Reply, clause: ReplyClause) -> bool:
    if reply.text is TextPhase.WRITTEN or not clause.text:
        return False
    if not reply.clauses:
        reply.notes.first_clause_at = call.clock.wall
        reply.notes.clause_timing = clause.timing
        reply.written_since = call.clock.waiting
        reply.text = TextPhase.WRITING
    reply.clauses.append(clause)
    reply.voice.write(clause.text)
    _speak_rest(call, reply)
    return True


def _on_reply_ended(call: Call, reply: Reply, end: ReplyEnded) -> bool:
    if reply.text is TextPhase.WRITTEN:
        return False
    reply.text = TextPhase.WRITTEN
    reply.notes.nlu_engine, reply.notes.withheld_rules = end.engine, end.withheld_rules
    if end.outcome is Outcome.COMPLETED and reply.clauses:
        _speak_rest(call, reply)
    elif end.outcome is Outcome.COMPLETED:
        reply.voice.complete()  # a reply without words is heard at once
    return True


def _on_voice_ended(reply: Reply, end: VoiceEnded) -> bool:
    is_completed = end.outcome is Outcome.COMPLETED
    if reply.speech is SpeechPhase.SPOKEN or not reply.n_spoken:
        return False
    if is_completed and reply.speech is not SpeechPhase.WHOLE:
        return False  # a stage that completes before it has all the words cannot know that it does
    reply.speech = SpeechPhase.SPOKEN
    reply.notes.tts_engine = end.engine
    if is_completed:
        reply.voice.complete()
    return True


def _on_audio(call: Call, reply: Reply, audio: VoiceAudio) -> bool:
    if reply.speech is SpeechPhase.SPOKEN or not reply.n_spoken:
        return False
    for mark in audio.marks:
        reply.voice.mark(mark)
    if not reply.voice.add_audio(audio):
        return False
    if reply.notes.first_audio_at is None:
        reply.notes.first_audio_at = call.clock.wall
        reply.notes.audio_timing = audio.timing
    return True


def _speak_rest(call: Call, reply: Reply) -> None:
    if call.is_open(Stage.TTS):
        call.command(*reply.speak_rest())


# -- heard, stopped, finished ------------------------------------------------------------------------------------------


def heard_offset(call: Call, reply: Reply) -> int:
    """Return how many code points of a reply the caller has heard."""
    return reply.voice.offset_at(call.playout.played(reply.voice))


def heard_text(call: Call, reply: Reply) -> str:
    """Return the words of a reply that the caller has heard, those of an attempt that broke off included."""
    return reply.heard_before + reply.voice.text[: heard_offset(call, reply)]


def finish_reply(call: Call, outcome: TurnOutcome) -> list[ActionAsked]:
    """Finish the reply: report it and add it to the history. Returns the actions that waited for a reply heard to its
    end.
    """
    reply, call.reply = call.reply, None
    if reply is None:
        return []
    call.playout.remove(reply.voice)
    call.command(ReportPlayout(reply.turn_id, heard_offset(call, reply), is_final=True))
    heard = heard_text(call, reply)
    if outcome != TurnOutcome.CONTINUED or heard or call.history.has_tools(reply.turn_id):
        call.history.add(HeardTurn(reply.turn_id, reply.notes.user_text, heard))  # else the next turn holds all of it
    record = reply.notes.finished(
        reply.turn_id,
        outcome=outcome,
        heard_text=heard,
        continues_turn_id=reply.continues_turn_id,
        tools=call.history.tools_of(reply.turn_id),
    )
    call.command(TurnFinished(record))
    call.counters["dropped_audio_chunks"] += reply.voice.dropped_chunks
    if outcome == TurnOutcome.COMPLETED:
        return reply.actions
    for asked in reply.actions:
        call.command(ReportAction(asked.action_id, is_done=False))
    return []


def give_up_reply(call: Call, outcome: TurnOutcome, reason: StopReason | StageReason) -> None:
    """End the reply, and every prompt beside it."""
    if call.reply is not None:
        call.reply.notes.stop_reason = reason
        stop_making(call)
    if call.reply is not None or call.is_gateway_speaking:
        call.command(DiscardSent())
    call.playout.discard_sent()
    stop_prompts(call)
    finish_reply(call, outcome)


def stop_making(call: Call) -> None:
    """Cancel the rest of the reply in the stages: what has been made of it may still be heard."""
    if call.reply is not None:
        call.command(CancelTurn(call.reply.turn_id), StopSpeech(call.reply.turn_id))


# -- tried again -------------------------------------------------------------------------------------------------------


def begin_text_again(call: Call, reply: Reply) -> bool:
    """Forget what the NLU stage has said of a reply. Returns whether the TTS stage had begun it: that stream knows the
    turn by its old words and must be opened again too.
    """
    had_spoken = reply.n_spoken > 0
    reply.notes.first_audio_at = None
    heard = heard_text(call, reply).rstrip()
    reply.heard_before = f"{heard} " if heard else ""
    call.playout.remove(reply.voice)
    reply.voice = call.new_voice(reply.turn_id)
    call.playout.enqueue(reply.voice)
    reply.clauses.clear()
    reply.n_spoken = 0
    reply.text, reply.speech = TextPhase.UNSENT, SpeechPhase.UNSENT
    return had_spoken


def begin_speech_again(call: Call, reply: Reply) -> None:
    """Forget the speech that was not heard: a fresh TTS stream goes on from the last word that was."""
    if not reply.voice.furthest:
        reply.notes.first_audio_at = None
    reply.voice.go_on_from(heard_offset(call, reply))
    reply.n_spoken = 0
    reply.speech = SpeechPhase.UNSENT


def resend(call: Call, stage: Stage) -> None:
    """Send a fresh stream what the reply still needs."""
    reply = call.reply
    if reply is None:
        return
    if stage is Stage.NLU and reply.text is TextPhase.UNSENT:
        _send(call, reply)
    if stage is Stage.TTS and reply.n_spoken == 0 and reply.clauses:
        call.command(*reply.speak_rest(start_offset=reply.voice.start_offset))


# -- the caller's next turn --------------------------------------------------------------------------------------------


def abandon_user_turn(call: Call) -> None:
    """Discard the utterance under way, since something else became the turn."""
    call.overlap = call.user_turn.ended = None
    drop_speculation(call)
    begin_next_turn(call)


def begin_next_turn(call: Call) -> None:
    """Begin the caller's next turn, which has its own words and speculative replies."""
    call.user_turn.begin_next()
    call.speculation.begin_turn()
