"""Knowledge of a call of its agent before the NLU stage has sent it."""

import grpc
import pytest

from services.audio.pcm import TELEPHONE
from services.call_gateway.agents import MAX_AGENTS, AgentBook
from services.call_gateway.profile import AgentProfile
from services.call_gateway.prompts.book import PromptKind
from services.call_gateway.prompts.library import PromptLibrary


@pytest.fixture
async def book() -> AgentBook:
    nowhere = grpc.aio.insecure_channel("127.0.0.1:1")  # never connected to
    return AgentBook(nowhere, PromptLibrary(nowhere))


async def test_an_agent_never_seen_has_the_default_profile(book: AgentBook):
    assert book.profile(("acme", "clinic")) == AgentProfile()


async def test_a_tenants_own_agent_comes_before_the_shared_one(book: AgentBook):
    book.learn(("", "clinic"), AgentProfile(agent_id="clinic", phrases=("anybody's",)))
    assert book.profile(("acme", "clinic")).phrases == ("anybody's",)
    book.learn(("acme", "clinic"), AgentProfile(agent_id="clinic", phrases=("acme's",)))
    assert book.profile(("acme", "clinic")).phrases == ("acme's",)
    assert book.profile(("globex", "clinic")).phrases == ("anybody's",)


async def test_prompts_are_there_before_anything_is_known(book: AgentBook):
    prompt = book.prompts(("", ""), TELEPHONE).find(PromptKind.APOLOGY, "vi-VN")
    assert prompt is not None
    assert prompt.text.startswith("Xin lỗi")


async def test_calls_of_one_agent_share_its_prompts(book: AgentBook):
    assert book.prompts(("", "a"), TELEPHONE) is book.prompts(("", "a"), TELEPHONE)


async def test_beyond_the_bound_the_oldest_is_forgotten(book: AgentBook):
    for number in range(MAX_AGENTS + 1):
        book.learn(("", str(number)), AgentProfile(agent_id=str(number)))
    assert book.profile(("", "0")) == AgentProfile()
    assert book.profile(("", "1")).agent_id == "1"
