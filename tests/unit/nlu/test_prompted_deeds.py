"""The clinic's own tools behind a model's words: in whatever form it writes a call, guard, read-back and outbox hold.

A result of another shape than a tool's proves no deed.
"""

import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlu.agent.profile import AgentProfile
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.engine import NluEngine, ReplyPart, ReplyRequest, Role, TextMade
from services.nlu.history import ToolCall
from services.nlu.inputs import Config, PlayoutReport, Text, UserTurn
from services.nlu.outputs import ToolActivity, ToolPhase, TurnEnd
from services.nlu.settings import NluSettings
from services.nlu.tool_calls import with_calls
from services.nlu.tools.outcome import is_done, outcome_of, reference_of
from tests.unit.nlu.rig import WatchedScript, opened
from tests.unit.nlu.test_confirmed_deeds import Eager, Writing, ask, clinic_with
from tests.unit.nlu.virtual_time import run

DAY = datetime.now() + timedelta(days=(1 - datetime.now().weekday()) % 7 + 7)  # a Tuesday, when ten is free
STARTS = f"{DAY:%Y-%m-%d}T10:00"
BOOKING = {"starts": STARTS, "name": "Anna Bell", "phone": "0912345678", "service": "cleaning"}
QUESTION = f"Shall I book a cleaning on Tuesday, {DAY:%B} {DAY.day} at 10 a.m. for Anna Bell, number 0912 345 678?"
WISH = f"A cleaning on Tuesday, {DAY:%B} {DAY.day} at ten please, Anna Bell, 0912345678."
ARGUMENTS = json.dumps(BOOKING)
FORMS = {
    "hermes": f'<tool_call>\n{{"name": "clinic_book", "arguments": {ARGUMENTS}}}\n</tool_call>',
    "llama json": f'{{"name": "clinic_book", "parameters": {ARGUMENTS}}}',
    "llama pythonic": f"[clinic_book({', '.join(f'{name}={value!r}' for name, value in BOOKING.items())})]",
    "llama 4": "<|python_start|>[clinic_book("
    + ", ".join(f"{name}={value!r}" for name, value in BOOKING.items())
    + ")]<|python_end|>",
}


class Writer(WatchedScript):
    """Writes a call as text before anything else, and claims that all is done, whatever it is told."""

    written = ""

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(request)
        async with aclosing(with_calls(self._text_of(request), request.messages[0].tools)) as parts:
            async for part in parts:
                yield part

    async def _text_of(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        since_caller = next(n for n, each in enumerate(reversed(request.messages)) if each.role is Role.CALLER)
        told = [each for each in request.messages[len(request.messages) - since_caller :] if each.role is Role.TOOL]
        if request.messages[0].tools and not told:
            for at in range(0, len(self.written), 7):  # as tokens come
                yield TextMade(self.written[at : at + 7])
        elif any('"done"' in each.text for each in told):
            yield TextMade("Your appointment is booked.")
        elif any(each.text.startswith("objection") for each in told):
            yield TextMade(QUESTION)
        else:
            yield TextMade(f"Your appointment is booked. {QUESTION}")


def prompted(written: str) -> type[PromptAgent]:
    class Prompted(PromptAgent):
        def __init__(self, profile: AgentProfile, engine: NluEngine, settings: NluSettings) -> None:
            writer = Writer(settings)
            writer.written = written
            super().__init__(profile, writer, settings)

    return Prompted


def booked(folder: Path) -> list[tuple[str, str, str]]:
    with sqlite3.connect(folder / "clinic" / "diary.sqlite") as connection:
        return connection.execute("SELECT starts, name, phone FROM appointments WHERE state = 'booked'").fetchall()


@pytest.mark.parametrize("form", FORMS)
async def test_a_model_books_what_was_read_back_and_agreed_to_and_claims_nothing_before(
    form: str, tmp_path: Path
) -> None:
    settings = NluSettings.model_validate({"engine": "script", "agent_kind": "prompt", "data_dir": tmp_path})
    config = Config(call_id="call", visit_id="1" * 32, tenant_id="t")
    async with opened(settings, config, factory=prompted(FORMS[form])) as rig:

        async def said(turn_id: int, text: str) -> str:
            await rig.send(UserTurn(turn_id, Text(text), ""))
            for _ in range(400):
                if rig.of(TurnEnd, turn_id):
                    break
                await rig.send(wait_s=0.05)
            await rig.send(PlayoutReport(turn_id, len(rig.said(turn_id)), is_final=True))
            return rig.said(turn_id)

        first = await said(1, WISH)
        assert booked(tmp_path) == []
        assert "is booked" not in first
        assert "clinic_book" not in first
        assert "Shall I book" in first
        second = await said(2, "Yes, please.")
        assert booked(tmp_path) == [(STARTS, "Anna Bell", "0912345678")]
        assert "is booked" in second
        await said(3, "Yes, please.")
        assert len(booked(tmp_path)) == 1


class Odd(Writing):
    """A tool that writes, and answers in another shape than a tool's."""

    result = "{}"

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        self.runs.append(arguments)
        return self.result


class Boasting(Eager):
    """Says that it is booked as soon as it has any result."""

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        is_asked = sum(each.role is Role.CALLER for each in request.messages) > 1
        is_told = request.messages[-1].role is Role.TOOL
        if is_asked and is_told and '"objection' not in request.messages[-1].text:
            self.requests.append(request)
            yield TextMade("It is booked.")
            return
        async for part in super().reply(request):
            yield part


WRONG = ["[]", "null", "7", '"done"', "{}", '{"status": ["done"]}', '{"status": "refused"}', '{"ok": false}']
WRONG += ['{"status": "Failed"}', '{"success": "false"}', '{"booked": false}', '{"code": 500}', '{"ok": 0}']
WRONG += ['{"result": {"success": false}}', '{"detail": "Not found."}', '{"a": "%s"}' % ("x" * 1_000_000)]
WRONG += ['{"status": 500}', '{"success": false, "message": "the slot is gone"}', '{"errors": ["no slot"]}']


@pytest.mark.parametrize("result", WRONG)
def test_a_result_of_a_wrong_shape_proves_no_deed(result: str) -> None:
    tool = Odd()
    tool.result = result
    _, make = clinic_with(tool, Boasting)

    async def scene() -> None:
        async with opened(factory=make) as rig:
            await ask(rig)
            await rig.send(UserTurn(2, Text("Yes, please.")), wait_s=5)
            assert len(tool.runs) == 1
            assert [each.phase for each in rig.of(ToolActivity, 2)][-1] is ToolPhase.COMPLETED
            assert "is booked" not in rig.said(2)

    run(scene())


@pytest.mark.parametrize("result", ['{"status": "done"}', '{"id": "evt-1"}', '{"status": "confirmed"}', '{"ok": true}'])
def test_a_result_that_says_so_proves_the_deed(result: str) -> None:
    assert is_done(result)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["done", "pending", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "error", "reference", "result"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(JSON)
def test_no_shape_of_a_result_breaks_what_is_told_of_it(value: object) -> None:
    call = ToolCall("1.1", "clinic_book", "{}", json.dumps(value))
    is_plain_done = isinstance(value, dict) and value.get("status") == "done"
    assert (outcome_of(call) == "done") is is_plain_done
    assert isinstance(reference_of(call), str)
    assert isinstance(is_done(call.result_json), bool)
