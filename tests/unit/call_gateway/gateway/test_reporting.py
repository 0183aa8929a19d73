"""The log of a turn: the figures of the turn are shown, the words of people are personal."""

from dataclasses import replace
from importlib import import_module

import pytest
from prometheus_client import REGISTRY

from services.call_gateway.conversation.commands import Remedy, StageTroubled
from services.call_gateway.conversation.events import Stage
from services.call_gateway.conversation.record import TurnOutcome, TurnRecord
from services.call_gateway.edges.edge import EDGES
from services.call_gateway.reporting import Reporter, _turn_fields
from services.call_gateway.watching import CallNews
from services.runtime.log_fields import PII_PREFIX, is_allowed

RECORD = TurnRecord(
    2, TurnOutcome.COMPLETED, "hello", "hello there", "complete", "", 1, 0, False, False, 0, 800, 412_000
)


def test_everything_of_a_turn_that_is_no_words_is_shown() -> None:
    record = replace(RECORD, nlu_engine="openai>llama_cpp", tts_engine="piper", withheld_rules=("price", "date"))
    fields = _turn_fields(record)
    held_back = {key for key, value in fields.items() if not key.startswith(PII_PREFIX) and not is_allowed(key, value)}
    assert held_back == set()
    assert {"pii.user_text", "pii.heard_text"} <= fields.keys()


@pytest.mark.parametrize("edge", list(EDGES))
def test_no_call_is_shown_as_none_from_the_start(edge: str) -> None:
    assert REGISTRY.get_sample_value("voice_calls_up", {"edge": edge}) is not None


@pytest.mark.parametrize("stage", list(Stage))
def test_the_first_trouble_of_a_stage_has_a_sample_before_it(stage: Stage) -> None:
    before = REGISTRY.get_sample_value("voice_stage_failures_total", {"stage": stage.value})
    assert before is not None
    Reporter()(CallNews("a", "clinic", 0, StageTroubled(stage, "NEVER_SEEN_BEFORE", Remedy.RETRY)))
    assert REGISTRY.get_sample_value("voice_stage_failures_total", {"stage": stage.value}) == before + 1


@pytest.mark.parametrize(
    ("module", "queue"),
    [
        ("services.call_gateway.stages.stt", "caller_audio"),
        ("services.call_gateway.prompts.library", "prompts"),
        ("services.call_gateway.edges.program", "agent_audio"),
        ("services.call_gateway.watching", "watcher"),
    ],
)
def test_the_first_drop_of_a_queue_has_a_sample_before_it(module: str, queue: str) -> None:
    import_module(module)
    assert REGISTRY.get_sample_value("voice_queue_dropped_total", {"stage": "call", "queue": queue}) is not None
