"""Appointments by telephone: a real phone, a real Asterisk, four real processes, and what is in the diary afterwards.

The STT stage is scripted, so that each caller is understood; agent, gateway and diary are those of `make run-stack`.
The NLU that serves a call is killed at the confirmation, by SIGKILL, while the diary cannot be written and when it
can; another one goes on with the call.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from voice.call.v1 import record_pb2

from clients.phone.caller import hear_out
from clients.phone.recording import read_wav
from clients.phone.report import transcript
from clients.phone.sip_phone import SipCall
from clients.phone.watch import CallWatch
from deploy.asterisk.private_pbx import PrivatePbx
from tests.conformance.servers import NLU, Server, running, wait_until_serving
from tests.integration.asterisk import number, running_pbx, wait_empty
from tests.integration.phones import running_phones
from tests.integration.scripted_stack import ScriptedStack, scripted_stack

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "tests/data/clips/000-plain.wav"
CALLERS = {
    "en": (
        "I'd like to book a cleaning, please.",
        "The first one, on Tuesday.",
        "My name is Anna Bell.",
        "My number is 0912 345 678.",
        "Yes, please.",
    ),
    "vi": (
        "Tôi muốn đặt lịch lấy cao răng.",
        "Thứ Ba nhé.",
        "Tôi tên là Lan.",
        "Số của tôi là 0912 345 678.",
        "Vâng, đúng rồi.",
    ),
}
AT_ONCE = "Please book a cleaning on Tuesday, my name is Anna Bell and my number is 0912 345 678."
EXTENSIONS = {"en": "1000", "vi": "1001"}
NAMES = {"en": "Anna Bell", "vi": "Lan"}
TOLD = {"en": "Your appointment is booked", "vi": "lịch hẹn đã được đặt"}
QUESTION = {"en": "Shall I book it?", "vi": "Anh chị có muốn đặt lịch này không ạ?"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PrivatePbx]:
    async with running_pbx(tmp_path_factory.mktemp("pbx")) as running:
        yield running


def clinic(folder: Path) -> dict[str, str]:
    """The settings of an NLU with the clinic's own agent and a diary in `folder`/data."""
    return {
        "NLU_AGENT_KIND": "graph",
        "NLU_AGENTS_DIR": str(ROOT / "deploy/agents"),
        "NLU_DEFAULT_AGENT": "clinic",
        "NLU_DATA_DIR": str(folder / "data"),
    }


@contextmanager
def clinic_stack(
    pbx: PrivatePbx, folder: Path, caller_says: Sequence[str], target: str = ""
) -> Iterator[ScriptedStack]:
    """The stack with the clinic; `target`: where its NLUs are, in place of one of its own."""
    settings = {
        "call": {"GATEWAY_EDGES": "ari", "GATEWAY_ARI_URL": pbx.ari_url},
        "tts": {"TTS_TONE_MS_PER_CHAR": "12"},
        "nlu": {} if target else clinic(folder),
    }
    if target:
        settings["call"]["GATEWAY_NLU_TARGET"] = target
    with scripted_stack(folder, caller_says, settings) as running:
        yield running


@contextmanager
def two_nlus(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Two NLUs on one diary: a call that one of them leaves is taken up by the other."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(running(NLU, "script", folder / name, settings=clinic(folder), is_awaited=False))
            for name in ("one", "other")
        )
        for server in (first, second):
            wait_until_serving(server)
        yield first, second


class Diary:
    """The files of the clinic, as anybody can read them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "data" / "clinic"

    def rows(self) -> list[tuple[str, ...]]:
        """The beginning, name, number and state of each appointment."""
        return self._read("diary.sqlite", "SELECT starts, name, phone, state FROM appointments")

    def decided(self) -> list[tuple[str, ...]]:
        """The tool and the state of each deed."""
        return self._read("outbox.sqlite", "SELECT tool, state FROM deeds")

    def _read(self, name: str, question: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self._folder / name) as connection:
            return connection.execute(question).fetchall()

    @contextmanager
    def locked(self) -> Iterator[Callable[[], None]]:
        """The diary locked against writing until the block ends, or the function that it gives is called."""
        with ExitStack() as stack:
            connection = sqlite3.connect(self._folder / "diary.sqlite", isolation_level=None)
            stack.callback(connection.close)
            connection.execute("BEGIN IMMEDIATE")
            yield connection.rollback


class PhoneCaller:
    """A person on the phone: speaks when the agent has finished."""

    def __init__(self, call: SipCall, watch: CallWatch) -> None:
        self._call, self._watch = call, watch

    async def listen(self, *, limit_s: float = 20.0) -> None:
        """Wait until the agent has spoken and fallen silent."""
        await hear_out(self._call, from_s=self._from_s, limit_s=limit_s, has_agent_floor=self._watch.has_agent_floor)

    async def speak(self) -> None:
        """Say something; the scripted STT stage knows what."""
        self._call.say(read_wav(CLIP))
        while self._call.is_saying:
            assert not self._call.is_over, self.story()
            await asyncio.sleep(0.02)
        self._from_s = self._call.now_s()

    async def greeted(self) -> None:
        self._from_s = 0.0
        await self.listen()

    def heard(self) -> list[str]:
        """The agent's words that the caller heard, turn by turn."""
        turns = (event.turn for event in self._watch.events if event.HasField("turn"))
        return [turn.heard_text for turn in turns if not turn.is_gateway_prompt]

    def story(self) -> str:
        return "\n".join(transcript(self._watch.events))


async def until(is_so: Callable[[], bool], limit_s: float, story: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, f"it did not come to pass\n{story()}"
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("language", ["en", "vi"])
async def test_a_call_books_an_appointment_that_is_in_the_diary_once(
    pbx: PrivatePbx, tmp_path: Path, language: str
) -> None:
    diary = Diary(tmp_path)
    with clinic_stack(pbx, tmp_path, CALLERS[language]) as stack:
        async with (
            running_phones() as phones,
            grpc.aio.insecure_channel(stack.gateway) as channel,
            CallWatch(channel) as watch,
        ):
            call = await phones.call(number(pbx, EXTENSIONS[language]))
            caller = PhoneCaller(call, watch)
            await caller.greeted()
            for _ in CALLERS[language]:
                assert diary.rows() == [], caller.story()
                await caller.speak()
                await caller.listen()
            await call.hang_up()
            assert await watch.wait_ended()
            assert any(TOLD[language] in said for said in caller.heard()), caller.story()
            assert caller.heard()[-2].endswith(QUESTION[language]), caller.story()
        await wait_empty(pbx)
    ((_, name, phone, state),) = diary.rows()
    assert (name, phone, state) == (NAMES[language], "0912345678", "booked")
    assert diary.decided() == [("clinic_book", "done")]


@pytest.mark.parametrize("moment", ["decided", "done", "thinking"])
async def test_a_kill_at_the_confirmation_books_it_once(pbx: PrivatePbx, tmp_path: Path, moment: str) -> None:
    diary = Diary(tmp_path)
    with two_nlus(tmp_path) as nlus:
        target = f"ipv4:{','.join(nlu.target for nlu in nlus)}"
        with clinic_stack(pbx, tmp_path, [AT_ONCE, *["Yes, please."] * 3], target) as stack:
            async with (
                running_phones() as phones,
                grpc.aio.insecure_channel(stack.gateway) as channel,
                CallWatch(channel) as watch,
            ):
                call = await phones.call(number(pbx))
                caller = PhoneCaller(call, watch)
                await caller.greeted()
                await caller.speak()
                await caller.listen()
                n_seen = len(watch.events)
                (serving,) = (nlu for nlu in nlus if "turn_ended" in nlu.log())
                with diary.locked() as unlock:
                    if moment == "done":
                        unlock()
                    await caller.speak()
                    await until(lambda: _has_come(moment, diary, watch.events[n_seen:]), 30, caller.story)
                    serving.process.kill()
                    serving.process.wait()
                await caller.listen(limit_s=30)
                if not any(TOLD["en"] in said for said in caller.heard()):  # the confirmation is asked for again
                    await caller.speak()
                    await caller.listen(limit_s=30)
                await call.hang_up()
                await watch.wait_ended()
                story = caller.story()
            await wait_empty(pbx)
            await until(lambda: all(state == "done" for _, state in diary.decided()) and bool(diary.rows()), 15)
    booked = [row for row in diary.rows() if row[3] == "booked"]
    assert len(booked) == 1, f"{story}\n{diary.rows()}"
    assert booked[0][1:3] == ("Anna Bell", "0912345678"), story
    assert any(TOLD["en"] in said for said in caller.heard()), story


def _has_come(moment: str, diary: Diary, events: Sequence[record_pb2.CallEvent]) -> bool:
    """Return whether the moment to kill has come: the turn is being thought about, decided, or done."""
    if moment == "decided":
        return bool(diary.decided())
    if moment == "done":
        return bool(diary.rows())
    return any(event.floor_change.to == record_pb2.FLOOR_THINKING for event in events if event.HasField("floor_change"))
