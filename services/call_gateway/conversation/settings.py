"""Settings of one conversation: waits, limits and counts. Every figure has its reason beside it."""

from dataclasses import dataclass, replace

from services.call_gateway.profile import AgentProfile


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """The figures of one conversation. Milliseconds are of audio where the name of the caller's clock is mentioned, of
    the wall otherwise.
    """

    frame_ms: int = 20  # what the line pulls at a time
    greeting_delay_ms: int = 300  # comfort silence before the first word: phones open their path late
    protected_greeting_ms: int = 1500  # of audio; people say "hello?" while the greeting begins
    tail_ms: int = 300  # from the last word to the hang-up: the far side plays behind us

    # Ending the caller's turn (caller's clock)
    draft_pause_ms: int = 64  # two windows of voice detection; speech has six such pauses a minute, each a spare draft
    unfinished_wait_ms: int = 1200  # one that is not; also the rule when the STT stage predicts nothing
    max_drafts: int = 4  # a turn; each costs the models a prompt
    max_draft_speech_ms: int = 15_000  # longer speech rarely ends at the next pause
    text_margin_ms: int = 200  # the text must cover the speech to within a syllable
    text_wait_ms: int = 400  # what a late text is worth waiting for
    settle_limit_ms: int = 400  # then the draft's text stands
    settle_hard_limit_ms: int = 1000  # the same when the text does not cover the speech
    late_text_limit_ms: int = 4000  # after that and a word to the caller: then they are asked to say it again
    recovery_window_ms: int = 1000  # speech this soon after the answer began to be heard: it was taken too early
    doubtful_end: float = 0.5  # below this probability of an end, the turn was taken by its silence alone
    doubtful_recovery_window_ms: int = 2500  # the window behind such an end: the caller was thinking
    doubtful_recovery_words: int = 5  # of the answer, heard meanwhile

    # The caller talks over the agent (caller's clock)
    barge_in_min_speech_ms: int = 600  # longer than coughs and backchannels
    barge_in_min_words: int = 1  # that are no backchannel
    barge_in_min_confidence: float = 0.3  # Whisper scores "uh-huh" 0.24 and "wait" 0.40
    pause_limit_ms: int = 1000  # silence of an agent that was not interrupted after all
    question_tail_ms: int = 1000  # of a question still to be said; people answer before it is over

    # Trouble: first clause and first audio together stay under three seconds, then the caller hears why it takes longer
    stt_stall_ms: int = 2000  # how far behind the caller's clock the STT stage may be
    first_clause_limit_ms: int = 1900  # from the moment the turn is taken
    first_audio_limit_ms: int = 900  # from the first clause, or the moment the turn is taken
    dead_air_limit_ms: int = 2900  # from the caller's last word, when its end was found late
    least_limit_ms: int = 1000  # what the stages get even then
    dry_limit_ms: int = 1800  # a reply that stops flowing
    probe_limit_ms: int = 1000  # what a late stage's server gets to say that it serves
    probe_again_ms: int = 2000  # it may die after it has said so
    slow_limit_ms: int = 8000  # a stage that serves and is late all the same; its measured pace may allow more
    company_ms: int = 5000  # between two phrases for a caller who waits
    give_up_ms: int = 20_000  # a caller is kept waiting so long for a stage that stays away
    tool_limit_ms: int = 10_000  # from the moment the turn is taken; the caller hears apologies meanwhile
    reopen_pause_ms: int = 500  # between attempts to reach a stage again; twice as long each time
    longest_reopen_pause_ms: int = 4000

    # Silence and length
    silence_prompt_ms: int = 8000
    silence_prompts: int = 2  # then goodbye
    no_sound_limit_ms: int = 5000  # without a packet, before the fault is reported to the operator (caller's clock)
    wordless_limit_ms: int = 15_000  # of sound without a word, as of music and faxes (caller's clock)
    wordless_end_ms: int = 300_000  # the same, before the call is ended (caller's clock); 0: never
    max_call_s: float = 3600.0
    key_gap_ms: int = 1500  # after the last key, the number is whole
    closing_limit_ms: int = 15_000  # a goodbye that the line does not pull ends here

    # Bounds
    max_held_audio_ms: int = 30_000  # a turn's sound not yet played; a voice keeps 5 s ahead
    history_turns: int = 200

    def adapted(self, profile: AgentProfile) -> "ConversationSettings":
        """The same with the agent's own figures in place; its zeros change nothing."""
        timing, barge_in = profile.endpointing, profile.barge_in
        return replace(
            self,
            draft_pause_ms=timing.draft_pause_ms or self.draft_pause_ms,
            unfinished_wait_ms=timing.unfinished_wait_ms or self.unfinished_wait_ms,
            silence_prompt_ms=timing.silence_prompt_ms or self.silence_prompt_ms,
            barge_in_min_speech_ms=barge_in.min_speech_ms or self.barge_in_min_speech_ms,
            barge_in_min_words=barge_in.min_words or self.barge_in_min_words,
            protected_greeting_ms=barge_in.protected_greeting_ms or self.protected_greeting_ms,
        )
