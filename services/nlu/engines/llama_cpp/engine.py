"""Engine `llama_cpp`: jobs go to the worker's thread, pieces of replies come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

from services.nlu.engine import Message, ReplyPart, ReplyRequest, Sampling, ToolSpec
from services.nlu.engines.llama_cpp.constrained import ConstrainedCalls
from services.nlu.engines.llama_cpp.grammar import grammar_of
from services.nlu.engines.llama_cpp.hashes import check_hashes
from services.nlu.engines.llama_cpp.jobs import Job
from services.nlu.engines.llama_cpp.model import LlamaModel, ModelOptions
from services.nlu.engines.llama_cpp.openings import KeptOpenings
from services.nlu.engines.llama_cpp.worker import ModelWorker
from services.nlu.plan.checking import find_misfit_here
from services.nlu.plan.gguf_file import read_shape
from services.nlu.plan.host import host_memory
from services.nlu.plan.memory import Layout
from services.nlu.settings import NluSettings
from services.nlu.tool_calls import with_calls
from services.nlu.tool_form import ToolForm, beginning_of
from services.runtime.cpu import usable_cpus
from services.runtime.errors import NotServing, StartupError, TurnFailed
from services.runtime.loading import loading
from services.runtime.logs import get_logger
from services.runtime.models import model_dir

log = get_logger(__name__)

_KEPT_GRAMMARS = 64  # of sets of tools: agents times tenants whose tools differ


class LlamaCppEngine:
    """A GGUF model in this process. Calls share the model, its batches and the openings of their prompts."""

    name = "llama_cpp"
    continues = True

    def __init__(self, settings: NluSettings) -> None:
        self._settings = settings
        self.model = Path(settings.model).stem if settings.model.endswith(".gguf") else settings.model
        self._worker: ModelWorker | None = None
        self._on_lost: Callable[[str], bool] = lambda why: False
        self._drafts: dict[tuple[str, int], Job] = {}  # under way
        self._rules: dict[tuple[ToolSpec, ...], str] = {}  # grammars of sets of tools

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have a lost thread told to `on_lost`; it returns True where others stand in for this engine,
        and the process does not go down with it.
        """
        self._on_lost = on_lost

    async def load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        """Raises NotServing for a file, a hash, a template or a context that is not as it must be; StartupError for
        memory that is short now, and for what else may pass.
        """
        with loading(f"NLU_MODEL={self._settings.model}"):
            await self._load(prompts)

    async def _load(self, prompts: tuple[tuple[Message, ...], ...]) -> None:
        settings = self._settings
        options = options_of(settings)
        path = await asyncio.to_thread(_model_file, settings)
        await asyncio.to_thread(_check_memory, path, options)
        kept = KeptOpenings(settings.prompt_cache_dir, path)
        worker = ModelWorker(lambda: LlamaModel(path, options), options, kept, self._on_lost, measures=True)
        await asyncio.to_thread(
            worker.start,
            prompts,
            max_reply_tokens=settings.max_reply_tokens,
            max_prompt_chars=settings.max_prompt_chars,
        )
        self._worker = worker
        if prompts:  # the first one now, the others in idle time: a start must not take long
            async with aclosing(self._run("", prompts[0], max_tokens=0)) as reading:
                async for _ in reading:
                    pass
        for messages in prompts[1:]:
            self._read_ahead("", messages)

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPart, None]:
        limit = self._settings.max_reply_tokens
        run = self._run(
            request.conversation,
            request.messages,
            max_tokens=limit,
            draft_of=request.turn_id if request.is_draft else 0,
            begun=request.begun,
            calls=await self._calls_of(request.tools),
            sampling=request.sampling,
        )
        async with aclosing(with_calls(run, request.tools)) as parts:
            async for part in parts:
                yield part

    async def _calls_of(self, tools: tuple[ToolSpec, ...]) -> ConstrainedCalls | None:
        """Return the constraint on the tool calls of one reply. None: there are no tools."""
        if not tools:
            return None
        form = (self._worker.tool_form if self._worker else None) or ToolForm.HERMES
        if tools not in self._rules:
            while len(self._rules) >= _KEPT_GRAMMARS:
                self._rules.pop(next(iter(self._rules)))
            self._rules[tools] = await asyncio.to_thread(grammar_of, tools, form)
        return ConstrainedCalls(self._rules[tools], beginning_of(form, [tool.name for tool in tools]))

    async def commit(self, conversation: str, turn_id: int) -> None:
        if job := self._drafts.get((conversation, turn_id)):
            job.is_draft = False

    async def prepare(self, conversation: str, messages: tuple[Message, ...], *, language_code: str) -> None:
        self._read_ahead(conversation, messages)

    def _read_ahead(self, conversation: str, messages: tuple[Message, ...]) -> None:
        if self._worker:
            self._worker.submit(Job(conversation, messages, 0, True, lambda _: None))

    async def forget(self, conversation: str) -> None:
        if self._worker:
            self._worker.forget(conversation)

    async def close(self) -> None:
        if self._worker:
            worker, self._worker = self._worker, None
            await asyncio.to_thread(worker.stop)

    async def _run(
        self,
        conversation: str,
        messages: tuple[Message, ...],
        *,
        max_tokens: int,
        draft_of: int = 0,
        begun: str = "",
        calls: ConstrainedCalls | None = None,
        sampling: Sampling | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        if self._worker is None:
            raise TurnFailed("ENGINE_STOPPED", "the server is stopping", is_retryable=True)
        loop = asyncio.get_running_loop()
        # Bounded by max_tokens: the worker ends the job there.
        made: asyncio.Queue[ReplyPart | TurnFailed | None] = asyncio.Queue()

        def give(part: ReplyPart | TurnFailed | None) -> None:
            loop.call_soon_threadsafe(made.put_nowait, part)

        job = Job(conversation, messages, max_tokens, draft_of > 0, give, begun=begun, calls=calls)
        if max_tokens:  # an opening may take its time: it is read once
            job.sampling = sampling or Sampling()
            job.deadline_s = time.monotonic() + self._settings.reply_limit_s
        job.max_call_tokens = self._settings.max_call_tokens if calls else 0
        if draft_of:
            self._drafts[conversation, draft_of] = job
        self._worker.submit(job)
        try:
            while (part := await made.get()) is not None:
                if isinstance(part, TurnFailed):
                    raise part
                yield part
        finally:
            job.is_cancelled = True
            if self._drafts.get((conversation, draft_of)) is job:
                del self._drafts[conversation, draft_of]


def _model_file(settings: NluSettings) -> Path:
    if not settings.model.endswith(".gguf"):
        return model_dir(settings.models_dir, settings.model) / "model.gguf"
    path = Path(settings.model).expanduser()
    if not path.is_file():
        raise NotServing(f"NLU_MODEL={path} is not there: name a GGUF file, or a model of deploy/models.toml")
    check_hashes(path, settings.model_sha256)
    return path


def options_of(settings: NluSettings) -> ModelOptions:
    """Read the options from the settings. Raises NotServing."""
    return ModelOptions(
        context_tokens=settings.context_tokens,
        n_slots=settings.slots,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads or usable_cpus(),
        gpu_layers=settings.gpu_layers,
        temperature=settings.temperature,
        split_mode=settings.split_mode,
        tensor_split=settings.tensor_split,
        main_gpu=settings.main_gpu,
        type_k=settings.type_k,
        type_v=settings.type_v,
        flash_attn=settings.flash_attn,
        n_ubatch=settings.n_ubatch,
        use_mmap=settings.use_mmap,
        use_mlock=settings.use_mlock,
        numa=settings.numa,
        lora=tuple(_adapter(entry) for entry in settings.lora.split(",") if entry.strip()),
    )


def _adapter(entry: str) -> tuple[Path, float]:
    """Read an entry such as "file.gguf" or "file.gguf:0.5". Raises NotServing."""
    path, colon, scale = entry.strip().rpartition(":")
    try:
        return (Path(path), float(scale)) if colon else (Path(entry.strip()), 1.0)
    except ValueError:
        raise NotServing(f"NLU_LORA: {entry}: write the file, and behind a colon its scale as a number") from None


def _check_memory(path: Path, options: ModelOptions) -> None:
    """Read the file's header and refuse what cannot fit, before gigabytes are read. Raises NotServing for what never
    fits, StartupError for what does not fit beside what other processes hold now.
    """
    layout = Layout(
        n_gpu_layers=options.gpu_layers,
        split_mode=options.split_mode,
        tensor_split=options.tensor_split,
        main_gpu=options.main_gpu,
        type_k=options.type_k,
        type_v=options.type_v,
        has_flash_attention=options.has_flash_attention,
        n_ctx=options.context_tokens,
        n_ubatch=options.ubatch_tokens,
        n_seq_max=options.n_slots,
        extra_bytes=sum(adapter.stat().st_size for adapter, _ in options.lora if adapter.is_file()),
    )
    host = host_memory(with_gpus=options.gpu_layers != 0)
    if (misfit := find_misfit_here(read_shape(path), layout, host)) is not None:
        raise StartupError(misfit.why) if misfit.may_pass else NotServing(misfit.why)
