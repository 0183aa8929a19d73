"""A gateway takes no more calls than its stages serve."""

from services.call_gateway.conversation.events import Stage
from services.call_gateway.stage_limits import CallLimit, call_limit
from services.call_gateway.stage_pace import StagePace


def test_the_stage_that_serves_fewest_lowers_the_limit():
    assert call_limit(100, {Stage.STT: 64, Stage.NLU: 80, Stage.TTS: 0}, 1) == CallLimit(64, Stage.STT)


def test_processes_share_what_the_stages_serve():
    assert call_limit(100, {Stage.STT: 64, Stage.NLU: 80, Stage.TTS: 72}, 4) == CallLimit(16, Stage.STT)


def test_a_setting_below_the_stages_stands():
    assert call_limit(10, {Stage.STT: 64, Stage.NLU: 80, Stage.TTS: 72}, 4) == CallLimit(10)


def test_stages_that_name_no_bound_change_nothing():
    assert call_limit(100, dict.fromkeys(Stage, 0), 4) == CallLimit(100)


def test_one_call_is_taken_even_where_processes_outnumber_streams():
    assert call_limit(100, dict.fromkeys(Stage, 2), 4).calls == 1


def test_a_stage_whose_median_answer_is_late_is_overloaded_until_it_catches_up():
    pace = StagePace()
    for second in range(4):
        pace.note(Stage.NLU, 3.5, now=float(second))
    assert pace.overloaded(3.0, now=4.0) is Stage.NLU
    assert pace.overloaded(3.0, now=40.0) is None
    for second in range(5):
        pace.note(Stage.NLU, 0.4, now=5.0 + second)
    assert pace.overloaded(3.0, now=10.0) is None
