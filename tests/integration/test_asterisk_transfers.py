"""Transfers through a real Asterisk, to whoever takes the call or does not, and what the caller hears of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import yaml
from voice.call.v1 import call_pb2, call_pb2_grpc, record_pb2

from clients.phone.sip_phone import SipCall
from services.audio.g711 import decode_mulaw, encode_mulaw
from tests.integration.asterisk import number, running_pbx, wait_empty
from tests.integration.phones import hear_tone, running_phones, tone
from tests.integration.scripted_stack import ScriptedStack, scripted_stack
from tests.integration.sip_peer import Message, SipPeer, media_of, sip_peer
from tests.load.clips import load_clips

pytestmark = pytest.mark.asterisk

CLIPS = [decode_mulaw(b"".join(clip.frames)) for clip in load_clips() if clip.kind == "plain"][:2]
HERE = Path(__file__).parent
RING_S = 3
REFUSAL = "can't put you through there"
PROMISE = "One moment, I am putting you through."


@dataclass(slots=True)
class Desk:
    """One call that is to be transferred, and what the gateway tells of it."""

    call: SipCall
    stack: ScriptedStack
    events: list[Any]

    async def until(self, found: Callable[[], Any], limit_s: float = 20.0) -> Any:
        """Wait until there is something. Fails with what happened instead."""
        try:
            async with asyncio.timeout(limit_s):
                while not (something := found()):
                    await asyncio.sleep(0.02)
                return something
        except TimeoutError:
            raise AssertionError(self.story()) from None

    def story(self) -> str:
        """The events up to now, for a person to read."""
        return "\n".join(" ".join(str(event).split()) for event in self.events)

    def turns(self) -> list[Any]:
        """The agent's turns that are over, the greeting left out."""
        return [
            event.turn
            for event in self.events
            if event.WhichOneof("event") == "turn" and not event.turn.is_gateway_prompt and event.turn.turn_id > 1
        ]

    def ends(self) -> list[Any]:
        return [event.end for event in self.events if event.WhichOneof("event") == "end"]


def write_agent(folder: Path, sip_uri: str) -> Path:
    """The quick agent, who may transfer to the front desk."""
    agent = yaml.safe_load((HERE / "agents/quick.yaml").read_text(encoding="utf-8"))
    agent["acts"] = ["transfer", "hang_up"]
    agent["destinations"] = [{"name": "front desk", "aliases": ["the desk"], "sip": sip_uri}]
    agents = folder / "agents"
    agents.mkdir()
    (agents / "quick.yaml").write_text(yaml.safe_dump(agent), encoding="utf-8")
    return agents


def write_replies(folder: Path, destination: str) -> Path:
    """Every question is answered by a transfer, and the one after it by words."""
    path = folder / "replies.toml"
    path.write_text(
        f"""
[[reply]]
name = "sure"
when = ["say sure"]
parts = [{{ text = "Sure, we have a free chair." }}]

[[reply]]
name = "transfer"
when = ["put me through"]
parts = [{{ text = "{PROMISE}" }}, {{ tool = "transfer", arguments = {{ destination = "{destination}" }} }}]
""",
        encoding="utf-8",
    )
    return path


async def collect(watch: Any, events: list[Any]) -> None:
    async for response in watch:
        events.append(response.event)  # noqa: PERF401 - each is looked at as it comes


@asynccontextmanager
async def transferring(
    folder: Path, on_invite: Callable[[SipPeer, Message], None], *, wanted: str = "the front desk, please"
) -> AsyncIterator[tuple[Desk, SipPeer]]:
    """A caller who has just asked to be put through."""
    async with sip_peer(on_invite) as peer, running_pbx(folder / "pbx", ring_s=RING_S) as pbx:
        await peer.open_rtp()
        settings = {
            "call": {"GATEWAY_EDGES": "ari,program", "GATEWAY_ARI_URL": pbx.ari_url},
            "nlu": {
                "NLU_AGENTS_DIR": str(write_agent(folder, f"sip:front.desk@127.0.0.1:{peer.port}")),
                "NLU_SCRIPT_FILE": str(write_replies(folder, wanted)),
            },
        }
        with scripted_stack(folder, ("Put me through.", "Say sure, please."), settings) as stack:
            async with (
                grpc.aio.insecure_channel(stack.gateway) as channel,
                running_phones() as phones,
                asyncio.TaskGroup() as tasks,
            ):
                watch = call_pb2_grpc.CallGatewayServiceStub(channel).WatchCalls(call_pb2.WatchCallsRequest())
                await watch.initial_metadata()
                events: list[Any] = []
                reading = tasks.create_task(collect(watch, events))
                call = await phones.call(number(pbx))
                desk = Desk(call, stack, events)
                await desk.until(lambda: [event for event in events if event.WhichOneof("event") == "turn"])
                call.say(CLIPS[0])
                yield desk, peer
                await call.hang_up()
                await wait_empty(pbx)
                reading.cancel()


def refuse(status: str) -> Callable[[SipPeer, Message], None]:
    return lambda peer, invite: peer.answer(invite, status)


def ring(peer: SipPeer, invite: Message) -> None:
    peer.answer(invite, "180 Ringing")


def take(peer: SipPeer, invite: Message) -> None:
    peer.media = media_of(invite.body)
    peer.answer(invite, "200 OK", peer.sdp(peer.rtp_peers[0]))


@pytest.mark.parametrize(
    ("on_invite", "words"),
    [
        (refuse("486 Busy Here"), "busy"),
        (ring, "nobody is answering"),
        (refuse("503 Service Unavailable"), "couldn't put you through"),
        (refuse("404 Not Found"), "couldn't put you through"),
    ],
    ids=["busy", "no-answer", "congestion", "unavailable"],
)
async def test_a_caller_whose_transfer_was_not_answered_is_back_and_hears_why_from_the_agent(
    tmp_path: Path, on_invite: Callable[[SipPeer, Message], None], words: str
):
    async with transferring(tmp_path, on_invite) as (desk, peer):
        news = (await desk.until(lambda: desk.turns()[1:]))[0]
        assert "INVITE" in peer.requests
        assert words in news.heard_text
        assert news.end_reason == "action_ended"
        before_s = desk.call.heard.length_s
        desk.call.say(CLIPS[1])
        answer = (await desk.until(lambda: desk.turns()[2:]))[0]
        assert answer.heard_text == "Sure, we have a free chair."
        assert desk.call.heard.last_sound_s(from_s=before_s) is not None
        assert not desk.ends()


async def test_a_caller_whose_transfer_was_answered_talks_to_the_destination(tmp_path: Path):
    async with transferring(tmp_path, take) as (desk, peer):
        end = (await desk.until(desk.ends))[0]
        assert end.cause == record_pb2.CallEnd.CAUSE_TRANSFER
        speaking = asyncio.create_task(peer.rtp_peers[0].say(encode_mulaw(tone(700, 2.0)), peer.media))
        await hear_tone(desk.call, 700, seconds=1.0)
        desk.call.say(tone(500, 1.0))
        await speaking
        heard = decode_mulaw(bytes(peer.rtp_peers[0].heard))
        assert np.abs(heard.astype(np.int32)).max() > 4000
        assert not desk.call.is_over


@pytest.mark.parametrize(
    "wanted",
    ["the moon", "+84 28 1234 5678", "(028) 1234-5678", "sip:somebody.else@example.com"],
    ids=["no-name", "number", "national", "sip"],
)
async def test_where_the_target_cannot_be_reached_the_caller_hears_so_at_once(tmp_path: Path, wanted: str):
    async with transferring(tmp_path, take, wanted=wanted) as (desk, peer):
        news = await desk.until(lambda: [turn for turn in desk.turns() if REFUSAL in turn.heard_text])
        assert len(news) == 1, desk.story()  # in the turn of the promise, or in one of its own
        assert not peer.requests


async def test_a_caller_who_hangs_up_while_it_rings_leaves_nothing(tmp_path: Path):
    async with transferring(tmp_path, ring) as (desk, peer):
        await desk.until(lambda: "INVITE" in peer.requests)
        await desk.call.hang_up()
        end = (await desk.until(desk.ends))[0]
        assert end.cause in (record_pb2.CallEnd.CAUSE_CALLER, record_pb2.CallEnd.CAUSE_TRANSFER)
