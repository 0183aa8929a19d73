"""Sampling of each reply by itself: on a tiny model of llama.cpp, and in what is sent elsewhere."""

from pathlib import Path

import pytest

from services.nlu.engine import Message, ReplyRequest, Role, Sampling, TextMade
from services.nlu.engines.gemini import write_config
from services.nlu.engines.llama_cpp.engine import LlamaCppEngine
from services.nlu.engines.openai.engine import body_of
from services.nlu.settings import NluSettings
from tests.unit.nlu.gguf_files import write_tiny_llama4

ASKED = (Message(Role.SYSTEM, "Be kind."), Message(Role.CALLER, "Hello?"))


async def text_of(engine: LlamaCppEngine, conversation: str, sampling: Sampling) -> str:
    request = ReplyRequest(conversation, 1, ASKED, "en", sampling=sampling)
    return "".join([part.text async for part in engine.reply(request) if isinstance(part, TextMade)])


async def test_each_reply_has_its_own_sampler(tmp_path: Path) -> None:
    model = write_tiny_llama4(tmp_path / "tiny.gguf")
    settings = NluSettings.model_validate(
        {"model": str(model), "prompt_cache_dir": tmp_path, "max_reply_tokens": 24, "context_tokens": 2048}
    )
    engine = LlamaCppEngine(settings)
    await engine.load(())
    try:
        likeliest = await text_of(engine, "a", Sampling())
        drawn = [await text_of(engine, f"b{seed}", Sampling(temperature=1.8, seed=seed)) for seed in (1, 1, 2)]
        assert drawn[0] == drawn[1], "the same seed draws the same, whatever was drawn before"
        assert len({likeliest, drawn[0], drawn[2]}) == 3
        assert await text_of(engine, "c", Sampling(temperature=0.0)) == likeliest
        unseeded = {await text_of(engine, f"d{number}", Sampling(temperature=1.8)) for number in range(3)}
        assert len(unseeded) == 3, "two calls do not draw alike"
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("sampling", "temperature"), [(Sampling(), 0.4), (Sampling(temperature=0.0), 0.0), (Sampling(1.5, 0.5, 7), 1.5)]
)
def test_servers_are_told(sampling: Sampling, temperature: float) -> None:
    settings = NluSettings(temperature=0.4)
    request = ReplyRequest("a", 1, ASKED, "en", sampling=sampling)
    body, config = body_of(request, settings), write_config(request, settings)
    assert (body["temperature"], config.temperature) == (temperature, temperature)
    assert (body.get("top_p"), body.get("seed")) == (sampling.top_p, sampling.seed) == (config.top_p, config.seed)
