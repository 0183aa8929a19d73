"""A deed that was asked for, and of which no result says that it was done, is told as just that."""

import json
from pathlib import Path

import pytest

from services.language.claims import asked_sentence
from services.nlu.tools.outcome import is_done, is_unclear
from tests.unit.nlu.rig import opened
from tests.unit.nlu.test_tools_of_a_model import Told, agreed_with_tools, giving, refusing, said, script
from tests.unit.nlu.virtual_time import run

CALL, CLAIM = '{ tool = "order_taxi" }', '{ text = "Your taxi is booked." }'
UNKNOWN = "I'm sorry, I don't know that. Is there anything else I can help you with?"


def reply_behind(tool: Told, tmp_path: Path) -> tuple[str, list[str]]:
    async def scene() -> tuple[str, list[str]]:
        async with opened(script(tmp_path, CALL, CLAIM), factory=agreed_with_tools(tool)) as rig:
            await rig.send(said(), wait_s=60)
        return rig.said(1).strip(), rig.prompt()

    return run(scene())


@pytest.mark.parametrize(
    "result", ['{"ticket": "open"}', '{"status": "queued"}', '{"orderId": 1, "message": "Oh well"}']
)
def test_a_claim_behind_an_unclear_result_gives_way_to_what_is_so(tmp_path: Path, result: str) -> None:
    spoken, prompt = reply_behind(Told("order_taxi", giving(result), writes=True), tmp_path)
    assert spoken == asked_sentence("en")
    assert any("cannot see yet that it is done" in message for message in prompt)


def test_a_result_that_comes_too_late_is_unclear(tmp_path: Path) -> None:
    late = Told("order_taxi", giving('{"status": "done"}', after_s=30), writes=True)
    assert reply_behind(late, tmp_path)[0].endswith(asked_sentence("en"))


def test_a_refusal_is_not_told_as_asked_for(tmp_path: Path) -> None:
    assert reply_behind(Told("order_taxi", refusing("no taxi is free"), writes=True), tmp_path)[0] == UNKNOWN


def test_what_is_only_looked_up_is_no_deed(tmp_path: Path) -> None:
    assert reply_behind(Told("order_taxi", giving('{"ticket": "open"}')), tmp_path)[0] == UNKNOWN


@pytest.mark.parametrize(
    ("result", "done"),
    [
        ({"orderId": 1, "message": "Too late for today."}, False),
        ({"data": {"id": "a7"}, "msg": "We will see"}, False),
        ({"status": "done", "result": {"orderId": 1, "message": "Too late for today."}}, False),
        ({"orderId": 1, "message": "Your taxi is booked."}, True),
        ({"orderId": 1, "confirmed": True, "message": "See you."}, True),
        ({"orderId": 1, "status": "ok", "message": "See you."}, True),
        ({"orderId": 1, "title": "Taxi for two", "notes": "by the door"}, True),
    ],
)
def test_the_key_of_an_order_proves_nothing_beside_a_message_that_cannot_be_read(result: object, *, done: bool) -> None:
    assert is_done(json.dumps(result), tool="order_taxi") is done
    assert is_unclear(json.dumps(result), tool="order_taxi") is not done
