"""Llama 4 as llama.cpp has it: a tiny random one is loaded and decoded, and its prompts are those Meta publishes."""

import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from services.nlu.engine import Message, ReplyRequest, Role, TextMade, ToolSpec, open_engine
from services.nlu.engines.llama_cpp.engine import options_of
from services.nlu.engines.llama_cpp.model import LlamaModel
from services.nlu.engines.llama_cpp.prompt import PromptTokens
from services.nlu.engines.llama_cpp.template import ChatTemplate, TemplateUnusable
from services.nlu.settings import NluSettings
from services.runtime.errors import NotServing, StartupError
from tests.unit.nlu.gguf_files import LLAMA4_SPECIALS, LLAMA4_TEMPLATE, write_tiny_llama4

MESSAGES = (
    Message(Role.SYSTEM, "You are kind."),
    Message(Role.CALLER, "What time is it?"),
    Message(Role.TOOL, '{"time": "10:00"}'),
)
PUBLISHED = (
    "<|header_start|>system<|header_end|>\n\nYou are kind.<|eot|>"
    "<|header_start|>user<|header_end|>\n\nWhat time is it?<|eot|>"
    '<|header_start|>ipython<|header_end|>\n\n{"time": "10:00"}<|eot|>'
    "<|header_start|>assistant<|header_end|>\n\n"
)
CLOCK = ToolSpec("current_time", "Says the time.", '{"type": "object", "properties": {}}')

ROOT = Path(__file__).parents[3]
SHORT_OF_MEMORY = """
import asyncio, resource, sys
import services.nlu.engines.llama_cpp.engine
from services.nlu.engine import open_engine
from services.nlu.settings import NluSettings

settings = NluSettings(model=sys.argv[1], context_tokens=1 << 20, threads=1, _env_file=None)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
try:
    asyncio.run(open_engine(settings).load(()))
except Exception as error:
    print(type(error).__name__, error)
"""


def settings(path: Path, **change: object) -> NluSettings:
    small = {"model": str(path), "prompt_cache_dir": path.parent / "prompts", "context_tokens": 2048}
    return NluSettings.model_validate(small | {"max_reply_tokens": 12} | change)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny_llama4(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    "change",
    [{}, {"type_k": "q8_0", "type_v": "q8_0", "flash_attn": "on"}, {"n_ubatch": 64, "use_mmap": False}],
    ids=["plain", "quantised cache", "small micro-batch"],
)
async def test_a_tiny_llama4_is_loaded_and_answers_two_calls_at_once(tiny: Path, change: dict[str, object]) -> None:
    engine = open_engine(settings(tiny, **change))
    await engine.load((MESSAGES[:1],))
    try:
        said = []
        for conversation in ("a", "b"):
            request = ReplyRequest(conversation, 1, MESSAGES, "en")
            async with aclosing(engine.reply(request)) as parts:
                said.append("".join([part.text async for part in parts if isinstance(part, TextMade)]))
    finally:
        await engine.close()
    assert said[0]
    assert said[0] == said[1], "greedy, and nothing of one call in the other"


def test_its_prompt_is_the_published_one_token_by_token(tiny: Path) -> None:
    model = LlamaModel(tiny, options_of(settings(tiny)))
    try:
        tokens = PromptTokens(model).up_to_reply(MESSAGES)
        assert tokens == [*model.bos(), *model.tokenize(PUBLISHED, is_template=True)]
        special = {256 + LLAMA4_SPECIALS.index(name) for name in ("<|header_start|>", "<|header_end|>", "<|eot|>")}
        assert special < set(tokens)
        assert model.ends_reply(256 + LLAMA4_SPECIALS.index("<|eot|>"))
    finally:
        model.close()


def test_the_files_own_template_renders_the_same_and_the_tools() -> None:
    template = ChatTemplate(LLAMA4_TEMPLATE)
    chat = [{"role": message.role.value, "content": message.text} for message in MESSAGES]
    assert template.render(chat, opens_reply=True) == PUBLISHED
    called = {"name": "current_time", "arguments": {"time_zone": "UTC"}}
    chat.insert(2, {"role": "assistant", "content": "", "tool_calls": [{"function": called}]})  # type: ignore[dict-item]
    rendered = template.render(chat, opens_reply=True, tools=(CLOCK,))
    assert '"name": "current_time"' in rendered.partition("<|eot|>")[0], "tools stand in the system message"
    assert (
        "<|header_start|>assistant<|header_end|>\n\n<|python_start|><|python_end|>"
        '{"name": "current_time", "parameters": {"time_zone": "UTC"}}<|eot|>'
        "<|header_start|>ipython<|header_end|>" in rendered
    )


async def test_a_template_that_llama_cpp_does_not_know_is_rendered_from_the_file(tmp_path: Path) -> None:
    own = "{% for message in messages %}[{{ message.role }}]{{ message.content }};{% endfor %}[me]"
    path = write_tiny_llama4(tmp_path / "own.gguf", template=own)
    model = LlamaModel(path, options_of(settings(path)))
    try:
        assert model.render([("system", "A"), ("user", "B")], opens_reply=True) == "[system]A;[user]B;[me]"
    finally:
        model.close()


@pytest.mark.parametrize("template", ["{% for %}", "{{ raise_exception('no') }}", "{{ messages.nothing.at_all }}"])
async def test_a_template_that_does_not_work_is_refused(tmp_path: Path, template: str) -> None:
    path = write_tiny_llama4(tmp_path / "bad.gguf", template=template)
    with pytest.raises(NotServing, match="chat template"):
        await open_engine(settings(path)).load(())


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    template = ChatTemplate("{{ messages.__class__.__mro__ }}")
    with pytest.raises(TemplateUnusable):
        template.render([], opens_reply=True)


async def test_a_file_with_another_sha256_is_refused(tiny: Path) -> None:
    with pytest.raises(NotServing, match="NLU_MODEL_SHA256"):
        await open_engine(settings(tiny, model_sha256="0" * 64)).load(())


async def test_a_lora_that_is_none_is_refused(tiny: Path) -> None:
    with pytest.raises(NotServing, match="NLU_LORA"):
        await open_engine(settings(tiny, lora=f"{tiny}:0.5")).load(())
    with pytest.raises(NotServing, match="NLU_LORA"):
        await open_engine(settings(tiny, lora="/nowhere.gguf")).load(())


@pytest.mark.parametrize("sha256", ["", "0" * 64], ids=["header", "hash"])
async def test_a_disk_that_fails_at_the_start_is_read_again_at_the_next(tmp_path: Path, sha256: str) -> None:
    (tmp_path / "model.gguf").symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    with pytest.raises(StartupError, match="Input/output error") as refused:
        await open_engine(settings(tmp_path / "model.gguf", model_sha256=sha256)).load(())
    assert not isinstance(refused.value, NotServing)


def test_memory_that_is_short_at_the_start_may_be_there_at_the_next(tiny: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos/gen'}"}
    command = [sys.executable, "-c", SHORT_OF_MEMORY, str(tiny)]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "StartupError no memory for 1048576 tokens" in run.stdout, run.stdout + run.stderr
    assert "alloc" in run.stdout, "llama.cpp's own reason"
