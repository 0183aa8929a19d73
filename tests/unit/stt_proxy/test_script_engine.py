import numpy as np
import pytest

from services.runtime.errors import StartupError
from services.stt_proxy.engine import Corrected, Heard, Hints, Report, Span, Speech, Unheard
from services.stt_proxy.engines.script import ScriptCall, parse_script, true_end
from services.stt_proxy.recording import Clip

MS = 8


class Caller:
    """One call on a script, and what was reported."""

    def __init__(self, script: str, hints: Hints | None = None) -> None:
        self.reports: list[Report] = []
        self.engine_call = ScriptCall(parse_script(script), 8000, 100, hints or Hints(), self.reports.append)
        self._n_requests = 0

    def ask(self, utterance_id: int, *spans_ms: tuple[int, int], is_final: bool = False) -> None:
        self._n_requests += 1
        spans = tuple(Span(start * MS, end * MS) for start, end in spans_ms)
        loud = np.full((spans[-1].end_sample - spans[0].start_sample), 5000, dtype=np.int16)
        clips = (Clip(spans[0].start_sample, loud),)
        self.engine_call.recognize(Speech(self._n_requests, utterance_id, spans, clips, 8000), is_final=is_final)

    def say(self, utterance_id: int, *spans_ms: tuple[int, int]) -> str:
        self.ask(utterance_id, *spans_ms)
        self.engine_call.rest(spans_ms[-1][1] * MS + 10_000)
        heard = self.reports[-1]
        assert isinstance(heard, Heard)
        return heard.text


def test_texts_come_in_order_and_begin_again():
    caller = Caller("one\ntwo\n")
    assert [caller.say(n, (n * 1000, n * 1000 + 500)) for n in (1, 2, 3)] == ["one", "two", "one"]


def test_every_draft_of_an_utterance_has_its_text():
    caller = Caller("one\ntwo\n")
    assert [caller.say(1, (0, 500)), caller.say(1, (0, 500), (600, 900))] == ["one", "one"]


def test_a_part_behind_a_bar_is_said_after_a_pause():
    caller = Caller("I would like | to book\nbye\n")
    assert caller.say(1, (0, 500)) == "I would like"
    assert caller.say(1, (0, 500), (700, 900)) == "I would like to book"
    assert caller.say(2, (2000, 2500)) == "bye"


def test_what_an_utterance_that_was_cut_off_did_not_say_is_left_to_the_next():
    caller = Caller("I would like | to book\nbye\n")
    caller.say(1, (0, 500))
    assert caller.say(2, (700, 1200)) == "to book"
    assert caller.say(3, (2000, 2500)) == "bye"


def test_what_was_not_said_within_two_seconds_is_not_said_any_more():
    caller = Caller("I would like | to book\nbye\n")
    caller.say(1, (0, 500))
    assert caller.say(2, (2600, 3000)) == "bye"


def test_text_is_ready_100_ms_after_the_true_end_of_speech():
    caller = Caller("one")
    caller.ask(1, (0, 500))
    caller.engine_call.feed(0, np.zeros(600 * MS - 1, dtype=np.int16))
    assert caller.reports == []
    caller.engine_call.feed(600 * MS - 1, np.zeros(1, dtype=np.int16))
    assert isinstance(caller.reports[0], Heard)


def test_text_is_ready_at_the_pause_when_that_is_later():
    caller = Caller("one")
    caller.engine_call.rest(700 * MS)
    caller.ask(1, (0, 500))
    assert len(caller.reports) == 1


def test_what_was_asked_is_answered_when_no_more_sound_comes():
    caller = Caller("one")
    caller.ask(1, (0, 500), is_final=True)
    caller.engine_call.finish()
    assert len(caller.reports) == 1


def test_a_correction_comes_a_second_after_the_end():
    caller = Caller("truth => tooth")
    caller.ask(1, (0, 500))
    caller.engine_call.rest(1499 * MS)
    assert not any(isinstance(report, Corrected) for report in caller.reports)
    caller.engine_call.rest(1500 * MS)
    assert caller.reports[-1] == Corrected(1, "tooth", "en")


def test_orders_bring_silence_failure_or_nothing():
    caller = Caller("@silence\n@fail\n@stall\n")
    assert caller.say(1, (0, 500)) == ""
    caller.ask(2, (1000, 1500))
    caller.engine_call.rest(20_000 * MS)
    assert isinstance(caller.reports[-1], Unheard)
    caller.ask(3, (21_000, 21_500))
    caller.engine_call.finish()
    assert len(caller.reports) == 2


def test_the_language_is_the_first_the_call_may_speak():
    caller = Caller("xin chào", Hints(language_codes=("vi-VN", "en")))
    caller.say(1, (0, 500))
    assert isinstance(caller.reports[-1], Heard)
    assert caller.reports[-1].language_code == "vi-VN"


@pytest.mark.parametrize("script", ["", "# only a remark\n\n", "@sing"])
def test_a_script_that_says_nothing_is_refused(script):
    with pytest.raises(StartupError):
        parse_script(script)


def test_the_true_end_is_where_the_sound_dies_away():
    samples = np.concatenate([np.full(4000, 9000), np.full(1000, 5)]).astype(np.int16)
    speech = Speech(1, 1, (Span(0, 4600),), (Clip(0, samples),), 8000)
    assert true_end(speech) == 4000
