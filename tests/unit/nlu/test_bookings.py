"""A booking through a conversation: read back, heard to its end, confirmed, done once, told as it is."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from services.nlu.agent.evidence import Evidence
from services.nlu.agent.graph.templates import Templates
from services.nlu.agent.guarding import guard_of
from services.nlu.agent.profile import read_agents
from services.nlu.agent.prompt_agent import PromptAgent
from services.nlu.engine import ToolSpec
from services.nlu.inputs import PlayoutReport
from services.nlu.outputs import ToolActivity
from services.nlu.settings import NluSettings
from services.nlu.tools.clinic.diary import Diary
from services.nlu.tools.deed import NotReached
from tests.unit.nlu.desk import NOW, Caller, booked, call, stands

READ_BACK = "You'd like cleaning, Tuesday, December 1 at 10 a.m., Anna Bell, 0912 345 678. Shall I book it?"
BOOKED = "Your appointment is booked: Tuesday, December 1 at 10 a.m. Is there anything else?"


ANNAS = ("2026-12-01T10:00", "cleaning", "Anna Bell", "0912345678")


async def test_a_yes_to_what_was_heard_books_it_once(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        assert await caller.come_to_the_question() == READ_BACK
        assert booked(tmp_path) == []
        assert await caller.say("Yes, please") == BOOKED
        assert booked(tmp_path) == [ANNAS]
        assert not rig.end(caller.turn_id).withheld
        assert "booked" not in await caller.say("Yes")
    assert booked(tmp_path) == [ANNAS]


@pytest.mark.parametrize("hears", [None, 0.0, 0.5, 0.93])
async def test_a_yes_into_the_question_is_no_confirmation(tmp_path: Path, hears: float | None) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question(hears=hears)
        assert await caller.say("Yes") == READ_BACK
        assert booked(tmp_path) == []
        assert await caller.say("Yes") == BOOKED
    assert booked(tmp_path) == [ANNAS]


async def test_without_a_diary_nothing_is_told_as_booked() -> None:
    async with call(None) as rig:
        caller = Caller(rig)
        assert "Shall I book it?" not in await caller.come_to_the_question()
        assert (await caller.say("Yes, please")).startswith("Thank you. Nothing is fixed yet")
        assert not rig.of(ToolActivity)


async def test_a_draft_books_nothing_before_its_commit(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say("Yes", is_draft=True, commits=False)
        assert booked(tmp_path) == []
        assert await caller.say("Yes", is_draft=True) == BOOKED
    assert booked(tmp_path) == [ANNAS]


@pytest.mark.parametrize(
    "said",
    [
        "Yes. No wait.",
        "Yes, but on Friday",
        "Yes, but on Sunday",
        "Yes. But on Thursday.",
        "Yes. Forget it.",
        "How much is it?",
    ],
)
async def test_what_is_no_clear_yes_books_nothing(tmp_path: Path, said: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        await caller.say(said)
        assert not rig.of(ToolActivity)
    assert booked(tmp_path) == []


async def test_a_yes_to_the_gateways_own_words_books_nothing(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        question = "Are you still there?"
        await rig.send(PlayoutReport(caller.turn_id, len(question), gateway_text=question))
        assert await caller.say("Yes") == READ_BACK
    assert booked(tmp_path) == []


async def test_a_changed_day_is_read_back_again(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert "Friday, December 4 at 9 a.m." in await caller.say("Friday")
        await caller.say("Yes")
    assert [row[0] for row in booked(tmp_path)] == ["2026-12-04T09:00"]


async def test_what_is_taken_is_not_offered_and_not_told_as_booked(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        diary = Diary(tmp_path / "clinic" / "diary.sqlite")
        starts = datetime.fromisoformat(ANNAS[0])
        diary.book("", starts, service="", name="B", phone="1234567", key="b", check=lambda _: None)
        said = await caller.say("Yes")
        assert said.startswith("I'm sorry, that time has just been taken.")
        assert "December 1" not in said
        assert "December 8 at 10 a.m." in said
    assert [row[2] for row in booked(tmp_path)] == ["B"]


async def test_a_diary_that_does_not_answer_is_told_as_open_and_booked_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*args: object, **options: object) -> str:
        raise NotReached("locked")

    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        with monkeypatch.context() as patch:
            patch.setattr(Diary, "book", locked)
            said = await caller.say("Yes")
        assert said.startswith("I have noted it, but it is not fixed yet. Is there anything else?")
        async with asyncio.timeout(10):
            while not booked(tmp_path):
                await asyncio.sleep(0.05)
    assert booked(tmp_path) == [ANNAS]


async def test_a_booking_before_a_kill_is_not_made_again_and_told_as_it_is(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        before, history = rig.end(caller.turn_id).state, tuple(rig.conversation._history.entries())
        await caller.say("Yes", hears=0.0)
    assert booked(tmp_path) == [ANNAS]
    async with call(tmp_path, state=before, history=history) as rig:  # the answer was lost: the turn is tried again
        assert await Caller(rig, turn_id=10).say("Yes") == BOOKED
    assert booked(tmp_path) == [ANNAS]


async def test_a_booking_whose_confirmation_was_not_heard_is_told_again_once(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        assert await caller.say("Yes", hears=0.0) == BOOKED
        assert (await caller.say("How much is it?")).startswith("Your appointment is booked: Tuesday")
        assert "booked" not in await caller.say("How much is it?")
    assert booked(tmp_path) == [ANNAS]


async def test_a_booking_that_was_talked_over_is_told_in_the_next_turn(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        before = rig.end(caller.turn_id).state
        await caller.say("Yes", hears=0.0)
        history = tuple(rig.conversation._history.entries())
    async with call(tmp_path, state=before, history=history) as rig:
        assert (await Caller(rig, turn_id=10).say("How much is it?")).startswith("Your appointment is booked: Tuesday")
    assert booked(tmp_path) == [ANNAS]


async def test_vietnamese(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("Tôi muốn đặt hẹn lấy cao răng")
        await caller.say("Thứ Ba")
        await caller.say("Tôi tên là Lan")
        question = await caller.say("Số của tôi là 0912 345 678")
        assert "thứ Ba ngày 1 tháng 12 lúc 10 giờ sáng" in question
        assert (await caller.say("Vâng")).startswith(
            "Dạ, lịch hẹn đã được đặt: thứ Ba ngày 1 tháng 12 lúc 10 giờ sáng ạ."
        )
    assert [row[:3] for row in booked(tmp_path)] == [("2026-12-01T10:00", "cleaning", "Lan")]


@pytest.mark.parametrize("language", ["en", "vi", "ru", "zh"])
@pytest.mark.parametrize("starts", ["2026-12-01T10:00", "2026-12-02T15:00", "2026-12-23T15:00", "2026-12-18T09:00"])
def test_the_guard_lets_it_be_told_by_the_result_alone(language: str, starts: str) -> None:
    profile = read_agents(NluSettings.model_validate({"engine": "script"}).agents_dir)["hotel"]
    guard, words = guard_of(profile), Templates(language)
    moment = datetime.fromisoformat(starts)
    clause = words.say("booked", when=words.at(words.date(moment.date()), moment.time()))
    now = NOW.replace(tzinfo=profile.zone)
    result = json.dumps({"status": "done", "booked": starts, "service": "", "name": "A", "phone": "0912345678"})
    done = Evidence(caller=("yes",), tools=(result,), deeds=(result,), done=frozenset({"clinic_book"}), now=now)
    assert not guard.check(clause, language=language, evidence=Evidence(caller=("yes",), now=now)).ok
    verdict = guard.check(clause, language=language, evidence=done)
    assert verdict.ok, verdict


class Messages:
    """The agent's tool for messages."""

    spec = ToolSpec("message_sms", "", "{}", writes=True)

    def __init__(self) -> None:
        self.sent: dict[str, Mapping[str, object]] = {}

    async def run(self, arguments: Mapping[str, object], *, idempotency_key: str) -> str:
        self.sent[idempotency_key] = arguments
        return '{"status": "done"}'


@pytest.mark.parametrize("is_taken", [False, True])
async def test_who_was_promised_a_message_gets_one_with_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_taken: bool
) -> None:
    def locked(*args: object, **options: object) -> str:
        raise NotReached("locked")

    messages = Messages()
    monkeypatch.setattr(PromptAgent, "tools_of", lambda *_: {"message_sms": messages})
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.come_to_the_question()
        with monkeypatch.context() as patch:
            patch.setattr(Diary, "book", locked)
            said = await caller.say("Yes")
            assert said.startswith("I have noted it, but it is not fixed yet. You will get a message.")
            assert not rig.end(caller.turn_id).withheld
            assert not messages.sent
        if is_taken:
            stands(tmp_path, ANNAS[0], name="B", phone="0900000000")
        async with asyncio.timeout(15):
            while not messages.sent:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)
    text = (
        "I'm sorry, I could not book that."
        if is_taken
        else "Your appointment is booked: Tuesday, December 1 at 10 a.m."
    )
    assert list(messages.sent.values()) == [{"to": "0912345678", "text": text}]
    assert (ANNAS in booked(tmp_path)) is not is_taken


@pytest.mark.parametrize("name", ["Marcus Lee", "Lee Johnson", "Mai"])
async def test_a_caller_who_shares_a_name_with_the_staff_can_book(tmp_path: Path, name: str) -> None:
    async with call(tmp_path) as rig:
        caller = Caller(rig)
        await caller.say("I'd like a filling on Friday at nine")
        await caller.say(f"{name}.")
        assert f"{name}, 0912 345 678. Shall I book it?" in await caller.say("0912 345 678")
        await caller.say("Yes")
    assert [row[0] for row in booked(tmp_path)] == ["2026-12-04T09:00"]


async def test_of_many_free_times_those_near_the_one_asked_for_are_told(tmp_path: Path) -> None:
    async with call(tmp_path) as rig:
        reply = await Caller(rig).say("I'd like a filling on Friday at noon")
        assert "I have no such free time. I have Friday, December 4 at" in reply
