"""Turns, drafts and commits of one conversation, in virtual time."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from services.nlu.agent.tools import CurrentTime
from services.nlu.errors import BadTurnId
from services.nlu.history import Entry
from services.nlu.inputs import (
    CallActionResult,
    Cancellation,
    Commit,
    Config,
    Dtmf,
    Open,
    PlayoutReport,
    Silence,
    Text,
    TranscriptCorrection,
    UserTurn,
)
from services.nlu.outputs import (
    ActionOutcome,
    CallAction,
    Expectation,
    ExpectedKind,
    HangUp,
    Outcome,
    ReplyText,
    SendDtmf,
    SwitchLanguage,
    ToolActivity,
    ToolPhase,
    Transfer,
    TurnEnd,
)
from services.nlu.tool_runs import key_of
from services.runtime.errors import RequestError, TurnIdNotIncreasing, root_cause
from tests.unit.nlu.rig import opened, script_settings
from tests.unit.nlu.virtual_time import run

SURE = "Sure, we have a free chair on Tuesday at ten. Just come to the front desk then."


def say(turn_id: int, text: str = "Hello there.", **more: object) -> UserTurn:
    return UserTurn(turn_id, Text(text), **more)  # type: ignore[arg-type]


def test_a_turn_is_clauses_and_one_end() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1))
        assert rig.said(1) == SURE
        assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.outputs[-1] == rig.end(1)

    run(main())


@pytest.mark.parametrize(
    ("first_phrase_words", "clause", "tokens"),
    [(0, "We have a free chair on Tuesday at ten,", 9), (4, "We have a free chair ", 6)],
)
def test_the_first_clause_leaves_when_its_last_token_is_there(
    first_phrase_words: int, clause: str, tokens: int
) -> None:
    async def main() -> float:
        async with opened(script_settings(first_phrase_words=first_phrase_words)) as rig:
            await rig.send(say(1, "say nine"), wait_s=5)
        assert rig.of(ReplyText)[0].text == clause
        return rig.timed[0][0]

    assert run(main()) == pytest.approx(0.080 + (tokens - 1) * 0.020)


def test_the_reply_called_sure_takes_80_ms() -> None:
    async def main() -> float:
        async with opened() as rig:
            await rig.send(say(1), wait_s=5)
        return rig.timed[0][0]

    assert run(main()) == pytest.approx(0.080)


def test_only_the_first_clause_and_the_end_carry_timing() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1))
        assert [clause.timing is not None for clause in rig.of(ReplyText)] == [True, False, False, False]
        assert rig.end(1).timing is not None

    run(main())


def test_open_is_greeted_at_once_without_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(UserTurn(1, Open()), wait_s=0.001)
            assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.said(1) == "Sunrise Dental Clinic, this is Linh. How can I help you?"
        assert rig.engine.requests == []

    run(main())


def test_goodbye_hangs_up_after_the_last_word() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "Goodbye!"))
        (action,) = rig.of(CallAction)
        assert (action.act, action.is_now) == (HangUp(), False)
        assert rig.outputs.index(action) > rig.outputs.index(rig.of(ReplyText)[-1])

    run(main())


def test_the_third_silence_ends_the_call() -> None:
    async def main() -> None:
        async with opened() as rig:
            for turn_id in (1, 2, 3):
                await rig.send(UserTurn(turn_id, Silence(8000, turn_id)), wait_s=1)
        assert rig.said(1) == rig.said(2) == "Are you still there?"
        assert [action.turn_id for action in rig.of(CallAction)] == [3]

    run(main())


def test_keys_are_answered() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(UserTurn(1, Dtmf("1#")))
        assert rig.prompt() == ["user: (pressed the keys 1 #)"]
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


# Drafts


def test_a_draft_speaks_at_once_and_ends_only_after_its_commit() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, is_draft=True), wait_s=5)
            assert rig.said(1) == SURE
            assert rig.of(TurnEnd) == []
            await rig.send(Commit(1), wait_s=0.001)
            assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


def test_a_draft_acts_only_after_its_commit() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "Bye bye.", is_draft=True), wait_s=1)
            assert rig.said(1) != ""
            assert rig.of(CallAction) == []
            await rig.send(Commit(1), wait_s=1)
            assert len(rig.of(CallAction)) == 1

    run(main())


def test_a_commit_in_the_middle_of_a_draft_lets_it_go_on() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, is_draft=True), wait_s=0.1)
            await rig.send(Commit(1))
        assert rig.said(1) == SURE

    run(main())


def test_a_newer_draft_takes_the_place_of_the_older_one_only() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say slow"), say(2, is_draft=True), say(3, is_draft=True), wait_s=20)
            assert [(end.turn_id, end.outcome) for end in rig.of(TurnEnd)] == [
                (2, Outcome.CANCELLED),
                (1, Outcome.COMPLETED),
            ]

    run(main())


def test_the_commit_of_a_draft_ends_the_turn_before_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say stall"), say(2, is_draft=True), wait_s=1)
            await rig.send(Commit(2))
        assert rig.end(1).outcome is Outcome.CANCELLED
        assert rig.end(2).outcome is Outcome.COMPLETED

    run(main())


def test_a_commit_of_an_ended_turn_is_ignored() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say fail", is_draft=True), wait_s=1)
            await rig.send(Commit(1), Commit(9), wait_s=1)
        assert [end.outcome for end in rig.of(TurnEnd)] == [Outcome.FAILED]

    run(main())


def test_half_close_ends_an_uncommitted_draft_and_finishes_the_turn_that_stands() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), say(2, is_draft=True))
        assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.end(2).outcome is Outcome.CANCELLED

    run(main())


def test_a_draft_nobody_commits_ends_in_the_end() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, is_draft=True), wait_s=60)
            assert rig.end(1).outcome is Outcome.CANCELLED

    run(main())


def test_an_uncommitted_draft_is_not_in_the_history() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please.", is_draft=True), say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: Two, please."]

    run(main())


def test_the_history_has_the_text_of_the_draft_as_it_stood() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please.", is_draft=True), wait_s=5)
            await rig.send(Commit(1), PlayoutReport(1, 5), say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: One, please.", "assistant: Sure,", "user: Two, please."]

    run(main())


# Cancelling


def test_a_cancelled_turn_ends_at_once_and_says_nothing_more() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), wait_s=0.1)
            await rig.send(Cancellation(1))
            assert rig.outputs[-1] == rig.end(1)
            assert rig.end(1).outcome is Outcome.CANCELLED
            await rig.send(wait_s=5)
            assert rig.outputs[-1] == rig.end(1)
        assert rig.engine.closed == [1]

    run(main())


def test_cancelling_what_has_not_begun_fences_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(Cancellation(5), say(4), say(5), say(6), wait_s=5)
        assert [end.turn_id for end in rig.of(TurnEnd)] == [6]

    run(main())


def test_cancelling_one_turn_only_leaves_the_turn_before_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), say(2, is_draft=True), Cancellation(2, is_only=True))
        assert rig.end(1).outcome is Outcome.COMPLETED
        assert rig.end(2).outcome is Outcome.CANCELLED

    run(main())


def test_a_turn_takes_the_place_of_the_one_before_it() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1), wait_s=0.1)
            await rig.send(say(2))
        assert rig.end(1).outcome is Outcome.CANCELLED

    run(main())


def test_what_was_heard_of_a_cancelled_turn_is_reported_after_its_end() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please."), wait_s=0.5)
            await rig.send(Cancellation(1), PlayoutReport(1, 13, is_final=True), say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: One, please.", "assistant: Sure, we have", "user: Two, please."]

    run(main())


# Bad turns


@pytest.mark.parametrize(
    ("bad", "reason", "field"),
    [
        (Text("x" * 100_000), "TEXT_TOO_LONG", "user_turn.text"),
        (Text("a\x00b"), "CONTROL_CHARACTERS", "user_turn.text"),
        (Text(" \n"), "EMPTY_TEXT", "user_turn.text"),
        (Dtmf("12x"), "BAD_DTMF", "user_turn.dtmf"),
        (Dtmf(""), "BAD_DTMF", "user_turn.dtmf"),
        (Silence(0, 0), "BAD_SILENCE", "user_turn.silence"),
        (None, "INPUT_MISSING", "user_turn.input"),
    ],
)
def test_a_bad_turn_fails_alone_and_names_its_field(bad: Text | Dtmf | Silence | None, reason: str, field: str) -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(UserTurn(1, bad), say(2))
        assert (rig.end(1).outcome, rig.end(1).reason) == (Outcome.FAILED, reason)
        assert rig.end(1).message.startswith(field)
        assert not rig.end(1).is_retryable
        assert rig.end(2).outcome is Outcome.COMPLETED

    run(main())


def test_a_turn_id_that_goes_back_ends_the_stream() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(2))
            await rig.send(say(1))

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(root_cause(raised.value), TurnIdNotIncreasing)


def test_a_turn_id_below_one_ends_the_stream() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(0))

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(root_cause(raised.value), BadTurnId)


def test_an_engine_that_fails_fails_the_turn_and_the_next_may_succeed() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say late fail"), wait_s=5)
            await rig.send(say(2))
        end = rig.end(1)
        assert (end.outcome, end.reason, end.is_retryable) == (Outcome.FAILED, "ENGINE_FAILED", True)
        assert rig.end(2).outcome is Outcome.COMPLETED

    run(main())


def test_an_engine_that_stalls_fails_the_turn_in_time() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say stall"), wait_s=19)
            assert rig.of(TurnEnd) == []
            await rig.send(wait_s=2)
            assert rig.end(1).reason == "TURN_TIMEOUT"

    run(main())


@pytest.mark.parametrize(("text", "error"), [("x" * 9999, RequestError), ("say fail", Exception)])
def test_a_failed_turn_fails_the_stream_when_the_config_wants_that(text: str, error: type[Exception]) -> None:
    async def main() -> None:
        config = Config(instructions="Be brief.", fails_stream_on_turn_failure=True)
        async with opened(config=config) as rig:
            await rig.send(say(1, text), wait_s=5)

    with pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert isinstance(root_cause(raised.value), error)


# What the model is shown


def test_only_what_was_heard_is_shown_to_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please."), wait_s=5)
            await rig.send(say(2, "Two, please."), wait_s=5)
        assert rig.prompt() == ["user: One, please.", "user: Two, please."]

    run(main())


def test_a_correction_changes_what_later_turns_see() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, peas."), wait_s=5)
            await rig.send(TranscriptCorrection(1, "One, please."), say(2, "Two."), wait_s=5)
        assert rig.prompt()[0] == "user: One, please."

    run(main())


def test_the_words_of_the_gateway_are_shown_to_the_model() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "say fail"), wait_s=5)
            await rig.send(PlayoutReport(1, 30, "I'm sorry, one moment."), say(2, "Well?"), wait_s=5)
        assert rig.prompt() == ["user: say fail", "assistant: I'm sorry, one moment.", "user: Well?"]

    run(main())


def test_a_draft_sees_what_was_heard_provisionally() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "One, please."), wait_s=5)
            await rig.send(say(2, "Two.", is_draft=True, provisional_playout=PlayoutReport(1, 13)), wait_s=1)
            assert rig.prompt() == ["user: One, please.", "assistant: Sure, we have", "user: Two."]
            await rig.send(say(3, "Three.", is_draft=True), wait_s=1)
            assert rig.prompt() == ["user: One, please.", "user: Three."]

    run(main())


def test_a_turn_that_continues_another_has_its_words() -> None:
    async def main() -> None:
        async with opened() as rig:
            await rig.send(say(1, "I would like"), wait_s=0.1)
            await rig.send(Cancellation(1), say(2, "I would like a cleaning", continues_turn_id=1), wait_s=5)
        assert rig.prompt() == ["user: I would like a cleaning"]

    run(main())


def test_a_stream_opened_in_mid_call_goes_on() -> None:
    async def main() -> None:
        async with opened() as first:
            await first.send(say(1, "Phòng khám ở đâu?", language_code="vi"), wait_s=5)
        state = first.end(1).state
        assert len(state) < 16 * 1024
        history = (Entry(1, "Phòng khám ở đâu?", "Sure,"),)
        config = Config(instructions="Be brief.", history=history, state=state)
        async with opened(config=config) as second:
            await second.send(UserTurn(2, Open()), say(3, "Alo"), wait_s=5)
        assert second.prompt()[:2] == ["user: Phòng khám ở đâu?", "assistant: Sure,"]
        assert second.of(ReplyText, 3)[0].language_code == "vi"

    run(main())


# Acts and tools


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


def test_a_tool_nobody_has_fails_and_the_turn_goes_on(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ tool = "fly" }, { text = "I cannot fly." }]'

    async def main() -> None:
        async with opened(script_settings(tmp_path, script)) as rig:
            await rig.send(say(1))
        assert [activity.phase for activity in rig.of(ToolActivity)] == [ToolPhase.STARTED, ToolPhase.FAILED]
        assert rig.said(1) == "I cannot fly."

    run(main())


def test_a_reply_is_ended_after_its_sentences(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ text = "Yes. Sure. Well. Fine. Good." }]'

    async def main() -> None:
        async with opened(script_settings(tmp_path, script, max_reply_sentences=2)) as rig:
            await rig.send(say(1))
        assert rig.said(1).strip() == "Yes. Sure."
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(main())


def test_a_fixed_text_is_said_whole_however_many_sentences_it_has() -> None:
    async def scene() -> None:
        async with opened(script_settings(max_reply_sentences=1)) as rig:
            await rig.send(UserTurn(1, Open()), wait_s=1)
            await rig.send(UserTurn(2, Silence(8000, 3)), wait_s=1)
        assert rig.said(1) == "Sunrise Dental Clinic, this is Linh. How can I help you?"
        assert rig.said(2) == "I can't hear you, so I'll hang up now. Please call again. Goodbye."

    run(scene())


def test_of_a_thought_without_a_beginning_nothing_unsent_is_said_and_the_answer_is_whole(tmp_path: Path) -> None:
    thought = "Okay the caller wants to know something</think>"
    answer = "Sure. All right. Of course."  # as many sentences as a reply may have
    script = f'[[reply]]\nname = "sure"\nparts = [{{ text = "{thought}" }}, {{ text = "{answer}" }}]'

    async def scene() -> None:
        async with opened(script_settings(tmp_path, script)) as rig:
            await rig.send(say(1), wait_s=5)
        assert rig.said(1).strip() == answer

    run(scene())


def test_a_turn_of_reasoning_alone_says_that_the_agent_does_not_know(tmp_path: Path) -> None:
    script = '[[reply]]\nname = "sure"\nparts = [{ text = "<think>What now?</think>" }]'

    async def scene() -> None:
        async with opened(script_settings(tmp_path, script)) as rig:
            await rig.send(say(1), wait_s=5)
        assert rig.said(1).startswith("I'm sorry, I don't know that.")
        assert rig.end(1).outcome is Outcome.COMPLETED

    run(scene())
