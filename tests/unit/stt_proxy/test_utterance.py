from services.stt_proxy.engine import Corrected, Heard, Hints, Partial, Segment, Span, Unheard
from services.stt_proxy.events import SpeechActivity, TextStage, Transcript, TurnPrediction, UtteranceSettled
from services.stt_proxy.open_utterance import Ask
from services.stt_proxy.settling import Output
from services.stt_proxy.utterance import Endpointing, Utterances

OPEN = Hints()
MS = 8  # samples at 8 kHz


def utterances(max_drafts: int = 4, max_draft_speech_ms: int = 15000) -> Utterances:
    endpointing = Endpointing(max_drafts=max_drafts, max_draft_speech_ms=max_draft_speech_ms)
    return Utterances(endpointing, sample_rate_hertz=8000)


def say(call: Utterances, start_ms: int, end_ms: int, hints: Hints = OPEN) -> list[Output]:
    """Speech from one time to another, and the pause behind it."""
    began = call.begin(start_ms * MS, 0.9, hints)
    return began + call.pause(end_ms * MS, 0.1, hints, trigger_ns=0, wants_draft=True)


def ask_in(outputs: list[Output]) -> Ask:
    [ask] = [output for output in outputs if isinstance(output, Ask)]
    return ask


def texts(outputs: list[Output]) -> list[tuple[TextStage, str]]:
    return [(output.stage, output.text) for output in outputs if isinstance(output, Transcript)]


def settled(outputs: list[Output]) -> list[UtteranceSettled]:
    return [output for output in outputs if isinstance(output, UtteranceSettled)]


def answer(call: Utterances, ask: Ask, text: str, now_ns: int = 0) -> list[Output]:
    return call.heard(ask, Heard(ask.request_id, text, "en", confidence=0.9), OPEN, now_ns=now_ns)


def end(call: Utterances, end_ms: int) -> list[Output]:
    return call.end(end_ms * MS, sent_sample=end_ms * MS, trigger_ns=0)


def test_a_pause_is_told_predicted_and_drafted():
    outputs = say(utterances(), 500, 1500)
    assert [type(output) for output in outputs] == [SpeechActivity, SpeechActivity, TurnPrediction, Ask]
    assert ask_in(outputs).spans == (Span(500 * MS, 1500 * MS),)
    assert not ask_in(outputs).is_final


def test_a_draft_brings_its_text_and_a_prediction():
    call = utterances()
    outputs = answer(call, ask_in(say(call, 500, 1500)), "I would like to make an appointment.")
    assert texts(outputs) == [(TextStage.DRAFT, "I would like to make an appointment.")]
    assert isinstance(outputs[-1], TurnPrediction)
    assert (outputs[-1].reason, outputs[-1].end_sample) == ("COMPLETE", 1500 * MS)


def test_a_draft_followed_by_silence_is_settled_without_asking_again():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "I would like to make an appointment.")
    outputs = end(call, 1760)
    assert texts(outputs) == [(TextStage.SETTLED, "I would like to make an appointment.")]
    assert [(each.utterance_id, each.end_sample, each.is_ok) for each in settled(outputs)] == [(1, 1760 * MS, True)]


def test_a_draft_under_way_settles_the_utterance_when_it_comes():
    call = utterances()
    draft = ask_in(say(call, 500, 1500))
    assert end(call, 1760) == []
    outputs = answer(call, draft, "I would like to make an appointment.")
    assert texts(outputs) == [(TextStage.SETTLED, "I would like to make an appointment.")]
    assert len(settled(outputs)) == 1
    assert call.n_settling == 0


def test_a_draft_that_is_not_made_is_asked_for_again_when_it_is_owed():
    call = utterances()
    draft = ask_in(say(call, 500, 1500))
    end(call, 1760)
    again = ask_in(call.unheard(draft, Unheard(draft.request_id, "DRAFT_LATE", "")))
    assert again.is_final
    assert again.spans == draft.spans
    assert len(settled(answer(call, again, "I would like to make an appointment."))) == 1


def test_a_draft_that_is_not_made_is_nothing_while_nothing_is_owed():
    call = utterances()
    draft = ask_in(say(call, 500, 1500))
    assert call.unheard(draft, Unheard(draft.request_id, "DRAFT_LATE", "")) == []


def test_speech_after_the_draft_is_asked_for_when_the_utterance_ends():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "My tooth")
    call.begin(1700 * MS, 0.9, OPEN)
    final = ask_in(end(call, 2500))
    assert final.is_final
    assert final.spans == (Span(500 * MS, 1500 * MS), Span(1700 * MS, 2500 * MS))


def test_a_draft_that_comes_when_the_caller_has_gone_on_is_only_partial():
    call = utterances()
    draft = ask_in(say(call, 500, 1500))
    call.begin(1700 * MS, 0.9, OPEN)
    assert texts(answer(call, draft, "My tooth")) == [(TextStage.PARTIAL, "My tooth")]


def test_an_end_without_speech_is_settled_at_once():
    outputs = end(utterances(), 1000)
    assert texts(outputs) == [(TextStage.SETTLED, "")]
    assert [each.utterance_id for each in settled(outputs)] == [1]


def test_every_end_is_settled_exactly_once_also_when_the_answer_comes_twice():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    final = ask_in(end(call, 1500))
    assert len(settled(answer(call, final, "Yes"))) == 1
    assert answer(call, final, "Yes") == []
    assert call.unheard(final, Unheard(final.request_id, "X", "")) == []
    assert call.expire(1) == []


def test_an_utterance_that_cannot_be_heard_has_failed():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    final = ask_in(end(call, 1500))
    [failed] = settled(call.unheard(final, Unheard(final.request_id, "DECODING_FAILED", "broken")))
    assert (failed.is_ok, failed.reason, failed.message) == (False, "DECODING_FAILED", "broken")


def test_an_engine_that_takes_too_long_has_failed():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    end(call, 1500)
    [failed] = settled(call.expire(1))
    assert failed.reason == "SETTLE_TIMEOUT"


def test_speech_across_the_end_is_divided():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    assert ask_in(end(call, 1500)).spans == (Span(500 * MS, 1500 * MS),)
    later = ask_in(call.pause(2500 * MS, 0.1, OPEN, trigger_ns=0, wants_draft=True))
    assert (later.utterance_id, later.spans) == (2, (Span(1500 * MS, 2500 * MS),))


def test_speech_behind_an_end_that_lies_back_belongs_to_the_next():
    call = utterances()
    say(call, 500, 1500)
    say(call, 2000, 2600)
    assert ask_in(end(call, 1760)).spans == (Span(500 * MS, 1500 * MS),)
    assert ask_in(end(call, 3000)).spans == (Span(2000 * MS, 2600 * MS),)


def test_sound_of_the_utterance_before_is_kept_out_of_the_next():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "Yes.")
    end(call, 1760)
    assert ask_in(say(call, 1780, 2500)).not_before == 1500 * MS


def test_an_utterance_costs_only_so_many_drafts():
    call = utterances(max_drafts=2)
    outputs = [say(call, start, start + 300) for start in (0, 1000, 2000)]
    assert [sum(isinstance(output, Ask) for output in each) for each in outputs] == [1, 1, 0]


def test_long_speech_is_not_drafted():
    outputs = say(utterances(max_draft_speech_ms=1000), 0, 1001)
    assert not any(isinstance(output, Ask) for output in outputs)


def test_discarded_speech_is_forgotten():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "echo of the agent")
    assert call.discard(400 * MS, 1600 * MS) is False
    assert texts(end(call, 1760)) == [(TextStage.SETTLED, "")]


def test_a_draft_of_discarded_speech_is_dropped():
    call = utterances()
    draft = ask_in(say(call, 500, 1500))
    call.discard(400 * MS, 1600 * MS)
    assert answer(call, draft, "echo of the agent") == []


def test_drafts_of_an_echo_are_not_held_against_the_caller():
    call = utterances(max_drafts=2)
    for start in (0, 1000, 2000):
        say(call, start, start + 300)
        call.discard(start * MS, (start + 400) * MS)
    assert ask_in(say(call, 3000, 4000)).spans == (Span(3000 * MS, 4000 * MS),)


def test_discarding_part_of_the_speech_keeps_the_rest():
    call = utterances()
    say(call, 500, 1500)
    call.discard(400 * MS, 1000 * MS)
    assert ask_in(end(call, 1760)).spans == (Span(1000 * MS, 1500 * MS),)


def test_a_stretch_out_of_speech_that_goes_on_is_no_part_of_it():
    call = utterances()
    call.begin(1000 * MS, 0.9, OPEN)
    assert not call.discard(2000 * MS, 6000 * MS)
    asked = ask_in(call.pause(7000 * MS, 0.1, OPEN, trigger_ns=0, wants_draft=True))
    assert asked.spans == (Span(1000 * MS, 2000 * MS), Span(6000 * MS, 7000 * MS))


def test_speech_that_ends_in_a_discarded_stretch_ended_before_it():
    call = utterances()
    call.begin(1000 * MS, 0.9, OPEN)
    assert not call.discard(2000 * MS, 6000 * MS)
    call.pause(5000 * MS, 0.1, OPEN, trigger_ns=0, wants_draft=True)
    assert ask_in(end(call, 7500)).spans == (Span(1000 * MS, 2000 * MS),)


def test_speech_that_goes_on_in_a_discarded_stretch_must_be_found_again():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    assert call.discard(400 * MS, 900 * MS) is True
    assert not call.has_speech


def test_the_end_of_speech_is_told_even_when_the_client_had_ended_the_utterance():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    end(call, 1600)
    outputs = call.pause(1500 * MS, 0.1, OPEN, trigger_ns=0, wants_draft=True)
    assert outputs == [SpeechActivity(2, False, 1500 * MS, 0.1)]


def test_pauses_after_words_that_looked_whole_lengthen_the_wait():
    call = utterances()
    for start in (0, 900, 1800):
        outputs = answer(call, ask_in(say(call, start, start + 500)), "I would like to make an appointment.")
    assert isinstance(outputs[-1], TurnPrediction)
    assert outputs[-1].wait_ms == 464


def test_pauses_after_words_that_are_plainly_unfinished_are_no_habit():
    call = utterances()
    for start in (0, 900, 1800):
        answer(call, ask_in(say(call, start, start + 500)), "I would like to")
    outputs = answer(call, ask_in(say(call, 2700, 3200)), "I would like to make an appointment.")
    assert isinstance(outputs[-1], TurnPrediction)
    assert outputs[-1].wait_ms == 224


def test_pauses_while_the_agent_speaks_are_no_habit():
    call = utterances()
    speaking = Hints(agent_is_speaking=True)
    for start in (0, 900, 1800):
        say(call, start, start + 500, speaking)
    outputs = answer(call, ask_in(say(call, 2700, 3200, speaking)), "I would like to make an appointment.")
    assert isinstance(outputs[-1], TurnPrediction)
    assert outputs[-1].wait_ms == 224


def test_time_on_hold_is_no_pause():
    call = utterances()
    for start in (0, 900, 1800):
        say(call, start, start + 500)
        call.skip()
    outputs = answer(call, ask_in(say(call, 2700, 3200)), "I would like to make an appointment.")
    assert isinstance(outputs[-1], TurnPrediction)
    assert outputs[-1].wait_ms == 224


def test_a_partial_of_an_engine_that_follows_the_sound_is_passed_on():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    assert texts(call.partial(Partial("My to", 900 * MS, "en"))) == [(TextStage.PARTIAL, "My to")]


def test_a_partial_without_speech_is_dropped():
    assert utterances().partial(Partial("thanks for watching", 900 * MS, "en")) == []


def test_a_partial_of_the_utterance_before_is_none_of_the_next():
    call = utterances()
    say(call, 500, 900)
    end(call, 1500)
    call.begin(2000 * MS, 0.9, OPEN)
    assert call.partial(Partial("My tooth", 900 * MS, "en")) == []
    assert texts(call.partial(Partial("hurts", 2300 * MS, "en"))) == [(TextStage.PARTIAL, "hurts")]


def test_a_correction_keeps_the_place_of_the_settled_text():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "My truth hurts.")
    end(call, 1760)
    [corrected] = call.corrected(Corrected(1, "I would like to make an appointment.", "en"), Hints())
    assert isinstance(corrected, Transcript)
    assert (corrected.stage, corrected.start_sample, corrected.end_sample) == (
        TextStage.CORRECTED, 500 * MS, 1760 * MS,
    )  # fmt: skip


def test_a_correction_of_what_is_not_settled_or_forgotten_is_dropped():
    call = utterances()
    call.begin(500 * MS, 0.9, OPEN)
    end(call, 1500)
    assert call.corrected(Corrected(1, "x", "en"), Hints()) == []
    assert call.corrected(Corrected(99, "x", "en"), Hints()) == []


def test_text_without_segments_is_one_segment_where_it_was_said():
    call = utterances()
    [text] = [each for each in answer(call, ask_in(say(call, 500, 1500)), "Yes.") if isinstance(each, Transcript)]
    assert text.segments == (Segment("Yes.", 500 * MS, 1500 * MS, 0.9),)


def test_the_cost_counts_from_the_sound_that_made_the_pause():
    call = utterances()
    call.begin(0, 0.9, OPEN)
    draft = ask_in(call.pause(1500 * MS, 0.1, OPEN, trigger_ns=1_000_000, wants_draft=True))
    heard = Heard(draft.request_id, "Yes.", "en", queue_us=5, compute_us=200)
    [text] = [each for each in call.heard(draft, heard, OPEN, now_ns=3_000_000) if isinstance(each, Transcript)]
    assert text.cost is not None
    assert (text.cost.queue_us, text.cost.compute_us, text.cost.since_trigger_us) == (5, 200, 2000)


def predicted(outputs: list[Output]) -> list[tuple[str, int]]:
    return [(output.reason, output.wait_ms) for output in outputs if isinstance(output, TurnPrediction)]


def test_digits_in_pairs_are_waited_for_at_a_pause_that_gets_no_draft():
    call = utterances(max_drafts=4)
    digits = ""
    for number, pair in enumerate(("zero nine ", "one two ", "three four ", "five six ")):
        digits += pair
        answer(call, ask_in(say(call, 1000 * number, 1000 * number + 600)), digits)
    fifth = say(call, 4000, 4600)
    assert not [output for output in fifth if isinstance(output, Ask)]
    assert predicted(fifth) == [("DIGITS_EXPECTED", 1200)]


def test_the_wait_for_unfinished_words_stands_while_a_draft_is_refused():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "I would like to make an appointment and")
    outputs = say(call, 2000, 2300)
    assert predicted(outputs) == [("UNFINISHED", 1200)]
    assert call.unheard(ask_in(outputs), Unheard(2, "DRAFT_LATE", "")) == []


def test_a_wait_shorter_than_that_for_unknown_words_does_not_stand():
    call = utterances()
    answer(call, ask_in(say(call, 500, 1500)), "I would like to make an appointment.")
    assert predicted(say(call, 2000, 2300)) == [("NO_TEXT", 700)]


def test_words_that_came_while_the_caller_went_on_make_the_wait():
    call = utterances(max_drafts=1)
    ask = ask_in(say(call, 500, 1500))
    call.begin(1700 * MS, 0.9, OPEN)
    assert texts(answer(call, ask, "My number is zero nine one")) == [(TextStage.PARTIAL, "My number is zero nine one")]
    assert predicted(call.pause(2200 * MS, 0.1, OPEN, trigger_ns=0, wants_draft=True)) == [("DIGITS_EXPECTED", 1200)]


def test_refused_drafts_are_not_held_against_the_caller():
    call = utterances(max_drafts=1)
    call.unheard(ask_in(say(call, 500, 1500)), Unheard(1, "DRAFT_LATE", ""))
    assert ask_in(say(call, 2000, 2300)).spans[-1] == Span(2000 * MS, 2300 * MS)


def test_each_15_s_of_one_utterance_may_cost_the_same_number_of_drafts():
    call = utterances(max_drafts=1, max_draft_speech_ms=120_000)
    asked = [
        any(isinstance(output, Ask) for output in say(call, 6000 * number, 6000 * number + 5000)) for number in range(7)
    ]
    assert asked == [True, False, True, False, False, True, False]
