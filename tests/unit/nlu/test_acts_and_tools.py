"""Acts on the call, expectations, languages and tools of a turn, in virtual time."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from services.nlu.agent.tools import CurrentTime
from services.nlu.inputs import (
    CallActionResult,
    Commit,
    Config,
)
from services.nlu.outputs import (
    ActionOutcome,
    CallAction,
    Expectation,
    ExpectedKind,
    Outcome,
    ReplyText,
    SendDtmf,
    SwitchLanguage,
    ToolActivity,
    ToolPhase,
    Transfer,
)
from services.nlu.tool_runs import key_of
from tests.unit.nlu.rig import opened, say, script_settings
from tests.unit.nlu.virtual_time import run


def test_another_language_is_answered_in_it_and_switched_to_at_its_second_turn() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "Phòng khám ở đâu?", language_code="vi"), wait_s=5)
            await rig.send(say(2, "Mấy giờ mở cửa?", language_code="vi"), wait_s=5)
            await rig.send(say(3, "Còn thứ bảy?", language_code="vi"), wait_s=5)
        assert {clause.language_code for clause in rig.of(ReplyText)} == {"vi"}
        (action,) = rig.of(CallAction)
        assert (action.turn_id, action.act, action.is_now) == (2, SwitchLanguage("vi"), True)

    run(main())


def test_a_draft_in_another_language_switches_only_when_committed() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "Phòng khám ở đâu?"), wait_s=5)
            await rig.send(say(2, "Mấy giờ mở cửa?", is_draft=True), wait_s=5)
            assert rig.of(CallAction) == []
            await rig.send(Commit(2), wait_s=1)
            assert len(rig.of(CallAction)) == 1

    run(main())


def test_acts_of_the_engine_are_sent_with_their_time() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say transfer"), wait_s=5)
            await rig.send(say(2, "say press keys"), wait_s=5)
        transfer, keys = rig.of(CallAction)
        assert (transfer.act, transfer.is_now) == (Transfer("200"), False)
        assert (keys.act, keys.is_now) == (SendDtmf("12#"), True)
        assert transfer.action_id != keys.action_id

    run(main())


def test_a_failed_act_is_told_to_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say transfer"), wait_s=5)
            (action,) = rig.of(CallAction)
            failed = CallActionResult(action.action_id, ActionOutcome.FAILED, "BUSY")
            await rig.send(failed, say(2, "And now?"), wait_s=5)
        assert 'tool: transfer({}): {"outcome": "failed", "reason": "BUSY"}' in rig.prompt()

    run(main())


def test_what_is_expected_next_is_said_once() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say ask number"), wait_s=5)
            await rig.send(say(2), wait_s=5)
        assert rig.of(Expectation) == [Expectation(1, ExpectedKind.DIGITS, length=10)]

    run(main())


def test_a_tool_runs_and_the_reply_goes_on_with_its_result() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say clock"))
        assert [activity.phase for activity in rig.of(ToolActivity)] == [ToolPhase.STARTED, ToolPhase.COMPLETED]
        assert "weekday" in json.loads(rig.of(ToolActivity)[1].result_json)
        assert rig.said(1) == "Let me look. I have it now."

    run(main())


def test_a_tools_key_is_of_the_visit_not_of_the_calls_label(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []

    async def note(_tool: object, _arguments: object, *, idempotency_key: str) -> str:
        keys.append(idempotency_key)
        return "{}"

    monkeypatch.setattr(CurrentTime, "run", note)

    async def main(visit_id: str) -> None:
        async with opened(config=Config(call_id="call", tenant_id="tenant", visit_id=visit_id)) as rig:
            await rig.send(say(1, "say clock"))

    for visit_id in ("aa", "aa", "bb", ""):
        run(main(visit_id))
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)
    assert keys[0] == keys[1], "the same visit does the same thing once"
    assert len({keys[0], keys[2], keys[3]}) == 3


def test_no_two_calls_get_the_same_key_whatever_clients_write_into_their_fields() -> None:
    fields = [("a/b", "c", "1.1"), ("a", "b/c", "1.1"), ("a", "b", "c/1.1"), ("", "ab", "c1.1"), ("ab", "", "c1.1")]
    assert len({key_of(*each) for each in fields}) == len(fields)
    assert key_of("a", "b") == key_of("a", "b")


def test_a_draft_pauses_before_its_first_tool_that_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CurrentTime, "spec", replace(CurrentTime.spec, writes=True))

    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say clock", is_draft=True), wait_s=5)
            assert rig.said(1) == "Let me look."
            assert rig.of(ToolActivity) == []
            await rig.send(Commit(1))
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


def test_an_unknown_tool_fails_and_the_turn_goes_on(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ tool = "fly" }, { text = "I cannot fly." }]'

    async def main() -> None:
        async with opened(script_settings(tmp_path, script)) as rig:
            await rig.send(say(1))
        assert [activity.phase for activity in rig.of(ToolActivity)] == [ToolPhase.STARTED, ToolPhase.FAILED]
        assert rig.said(1) == "I cannot fly."

    run(main())
