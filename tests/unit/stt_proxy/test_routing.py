"""Change of the engine that recognises a call, in mid-call."""

import pytest

from services.runtime.breaker import BreakerState
from services.stt_proxy.engine import (
    Corrected,
    Heard,
    Hints,
    Lost,
    Partial,
    Unheard,
)
from services.stt_proxy.routing import POLICY
from tests.unit.stt_proxy.routing_rig import BROKEN, Rig, started

from .rig import DictationCall


async def test_a_lost_engine_is_followed_within_the_utterance():
    rig = await started()
    rig.say(1, 1000, 3000)
    rig.ask(1, 1, 1000, 3000, is_final=False)
    rig.engine_call.reach(3500)
    rig.engine_calls("first")[0].report(Unheard(1, "ENGINE_LOST", "gone"))
    rig.engine_calls("first")[0].report(BROKEN)
    second = rig.engine_calls("second")[0]
    assert second.edges == [(1, 1000, True), (1, 3000, False)]
    assert [speech.request_id for speech, _ in second.asked] == [1]
    second.answer("I would like to")
    assert [one.text for one in rig.reports if isinstance(one, Heard)] == ["I would like to"]
    assert not any(isinstance(one, Lost | Unheard) for one in rig.reports)
    assert rig.board.describe()[0].switches == 1


async def test_what_is_owed_of_earlier_utterances_is_heard_again_too():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    rig.ask(2, 2, 3000, 4000)
    rig.engine_call.end(2, 4500)
    rig.say(3, 5000, None)
    rig.engine_calls("first")[0].report(Heard(1, "one", "en"))
    rig.engine_calls("first")[0].report(BROKEN)
    second = rig.engine_calls("second")[0]
    assert second.ended == [(1, 2500), (2, 4500)]
    assert second.edges == [(2, 3000, True), (2, 4000, False), (3, 5000, True)]
    assert [speech.request_id for speech, _ in second.asked] == [2]


async def test_speech_that_went_on_through_an_end_is_divided_for_the_next_engine_as_well():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_call.reach(4000)
    rig.ask(1, 1, 1000, 3000)
    rig.engine_call.end(1, 3000)
    rig.engine_calls("first")[0].report(BROKEN)
    second = rig.engine_calls("second")[0]
    assert second.edges == [(1, 1000, True), (1, 3000, False), (2, 3000, True)]
    assert second.ended == [(1, 3000)]


async def test_discarded_sound_is_forgotten_by_the_next_engine():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.engine_call.forget(1200, 1400)
    rig.engine_calls("first")[0].report(BROKEN)
    assert rig.engine_calls("second")[0].forgotten == [(1200, 1400)]


async def test_after_the_last_sound_the_next_engine_is_told_that_no_more_comes():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_call.finish()
    rig.engine_calls("first")[0].report(BROKEN)
    assert rig.engine_calls("second")[0].is_finished


async def test_an_engine_that_fails_at_a_speech_hands_it_over():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].refuse("DECODING_FAILED")
    rig.engine_calls("second")[0].answer("yes")
    assert [type(one) for one in rig.reports] == [Heard]


@pytest.mark.parametrize("reason", ["SUPERSEDED", "OVERLOADED"])
async def test_a_draft_that_is_not_worth_its_cost_hands_nothing_over(reason: str):
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000, is_final=False)
    rig.engine_calls("first")[0].refuse(reason)
    assert [type(one) for one in rig.reports] == [Unheard]
    assert rig.engine_calls("second") == []


async def test_when_the_last_engine_is_lost_the_call_is():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_calls("first")[0].report(BROKEN)
    last = Lost(700, "ENGINE_FAILED", "the library crashed", is_retryable=True)
    rig.engine_calls("second")[0].report(last)
    assert rig.reports == [last]


async def test_the_call_goes_back_at_an_utterances_border_when_the_first_engine_has_rested():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_calls("first")[0].report(BROKEN)
    rig.engine_call.speech(1, 2000, is_begin=False)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("second")[0].answer("one")
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    assert len(rig.engine_calls("first")) == 1, "it rests"
    rig.ask(2, 2, 3000, 4000)
    rig.clock.now += POLICY.rest_s
    rig.engine_call.end(2, 4500)
    rig.say(3, 5000, 6000)
    assert len(rig.engine_calls("first")) == 1, "words are owed"
    rig.engine_calls("second")[0].answer("two")
    rig.engine_call.end(3, 6500)
    rig.say(4, 7000, 8000)
    again = rig.engine_calls("first")[1]
    assert again.edges == [(4, 7000, True), (4, 8000, False)]
    assert again.ended == [(3, 6500)], "sound before it belongs to the utterance before"
    rig.ask(4, 4, 7000, 8000)
    again.answer("four")
    assert [one.text for one in rig.reports if isinstance(one, Heard)] == ["one", "two", "four"]


async def test_a_drill_takes_an_engine_out_at_the_next_utterance():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.board.trip("first", 30_000, is_allowed=True)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].answer("one")
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    assert rig.engine_calls("second")[0].edges == [(2, 3000, True), (2, 4000, False)]


async def test_where_all_rest_the_first_is_better_than_none():
    rig = await started()
    rig.board.trip("first", 30_000, is_allowed=True)
    rig.board.trip("second", 30_000, is_allowed=True)
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].answer("one")
    assert [type(one) for one in rig.reports] == [Heard]


async def test_an_engine_that_refuses_the_call_is_not_asked_again_and_says_nothing_of_the_provider():
    rig = await started()
    rig.say(1, 1000, None)
    rig.engine_calls("first")[0].report(
        Lost(0, "INVALID_ARGUMENT", "no such language in this model", is_retryable=False)
    )
    rig.engine_call.speech(1, 2000, is_begin=False)
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    assert len(rig.engine_calls("first")) == 1
    assert rig.board["first"].breaker.state is BreakerState.CLOSED


async def test_late_words_of_the_engine_before_correct_only_what_it_heard():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_calls("first")[0].answer("one")
    rig.board.trip("first", 30_000, is_allowed=True)
    rig.engine_call.end(1, 2500)
    rig.say(2, 3000, 4000)
    for report in (Corrected(1, "One.", "en"), Corrected(2, "strange", "en"), Partial("strange", 3500, "en")):
        rig.engine_calls("first")[0].report(report)
    assert [one.text for one in rig.reports if isinstance(one, Corrected | Partial)] == ["One."]


async def test_another_language_of_the_client_brings_its_engine():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    await rig.begin("en-US", "vi-VN")
    rig.say(1, 1000, None)
    rig.engine_call.attend(Hints(language_codes=("vi-VN",)))
    assert rig.engine_calls("first")[0].edges == [(1, 1000, True)]
    assert rig.engine_calls("first")[0].hints[-1].language_codes == ("vi-VN",)


async def test_a_closed_call_reports_nothing_and_gives_its_leave_back():
    rig = await started()
    rig.say(1, 1000, 2000)
    rig.engine_call.close()
    rig.engine_calls("first")[0].report(BROKEN)
    assert rig.reports == []
    assert rig.engine_calls("second") == []


async def test_a_language_that_is_left_gives_its_probe_back():
    rig = Rig({"vi": ("first",), "*": ("second",)})
    await rig.begin("en-US", "vi-VN")
    rig.board.trip("second", 1000, is_allowed=True)
    rig.clock.now += 2
    rig.listen("en-US", "vi-VN")
    rig.say(1, 1000, None)
    assert rig.board["second"].admit() is None, "the call probes it"
    rig.engine_call.attend(Hints(language_codes=("vi-VN",)))
    assert rig.board["second"].admit() is not None, "it could not be probed until the call ends"


async def test_a_silent_caller_keeps_no_probe():
    rig = await started()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.clock.now += 2
    rig.listen("en")
    silent = rig.engine_call
    rig.listen("en")
    rig.say(1, 1000, 2000)
    assert rig.board["first"].admit() is None, "the call that speaks probes it"
    rig.engine_call.forget(1000, 2000)
    rig.engine_call.end(1, 3000)
    assert rig.board["first"].admit() is not None, "what it said was noise"
    silent.close()


@pytest.mark.parametrize("is_late", [False, True])
async def test_an_utterance_whose_words_do_not_come_keeps_no_probe(is_late: bool):
    rig = await started()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.clock.now += 2
    rig.listen("en")
    rig.say(1, 1000, 2000)
    rig.ask(1, 1, 1000, 2000)
    rig.engine_call.end(1, 3000)
    assert rig.board["first"].admit() is None, "its words are awaited"
    if is_late:
        rig.engine_call.cancel(1)
    else:
        rig.engine_calls("first")[-1].refuse("OVERLOADED")
    assert rig.board["first"].admit() is not None, "the caller may be silent for long"


async def test_an_engine_that_cannot_listen_keeps_no_probe(monkeypatch: pytest.MonkeyPatch):
    rig = await started()
    rig.board.trip("first", 1000, is_allowed=True)
    rig.clock.now += 2

    def listen(**how: object) -> DictationCall:
        raise RuntimeError("broken")

    monkeypatch.setattr(rig.engines["first"], "listen", listen)
    with pytest.raises(RuntimeError):
        rig.listen("en")
    assert rig.board["first"].admit() is not None, "it could not be probed any more"
