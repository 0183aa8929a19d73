"""The one thread that owns the model: it batches all conversations into decode steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol

from services.nlu.engine import Began, CutShort, TextMade
from services.nlu.engines.llama_cpp.jobs import ActiveJob, Job, rows_of
from services.nlu.engines.llama_cpp.model import DecodeFailed, ModelOptions, Row
from services.nlu.engines.llama_cpp.openings import KeptOpenings, Memory
from services.nlu.engines.llama_cpp.prompt import PromptTokens, Tokenizer
from services.nlu.engines.llama_cpp.slots import Cache, Slots
from services.runtime.errors import TurnFailed

_SHARED_STEP_TOKENS = 32  # of a prompt in a step that also speaks for somebody: nobody stutters
_LONE_STEP_TOKENS = 64  # in a step of prompts only: a cancel is seen between steps
_AHEAD_STEP_TOKENS = 24  # in a step that only reads ahead: a turn must not wait long for its end


class Model(Tokenizer, Cache, Memory, Protocol):
    """What the worker needs of a model; LlamaModel is one."""

    def ends_reply(self, token: int) -> bool:
        """Whether the token says that the reply is whole."""

    def decode(self, rows: Sequence[Row]) -> bool:
        """Compute one step. False: no room. Raises DecodeFailed."""

    def sample(self, row: int) -> int:
        """The token after a row of the last step."""

    def close(self) -> None:
        """Let go of the memory."""


class Worker:
    """Runs jobs. `start`, `submit`, `forget` and `stop` may be called from any thread."""

    def __init__(self, open_model: Callable[[], Model], options: ModelOptions, kept: KeptOpenings | None) -> None:
        """`open_model` is called in the worker's thread; `kept`: where openings are kept from one start to the next."""
        self._open_model, self._options, self._kept = open_model, options, kept
        self._commands: SimpleQueue[Job | str | None] = SimpleQueue()  # a job; a conversation to forget; None: stop
        self._waiting: deque[Job] = deque()
        self._active: list[ActiveJob] = []
        self._prompts: dict[str, PromptTokens] = {}
        self._thread = Thread(target=self._run, name="llama", daemon=True)
        self._is_open = Event()
        self._open_error: Exception | None = None

    def start(self) -> None:
        """Load the model; blocks. Raises StartupError."""
        self._thread.start()
        self._is_open.wait()
        if self._open_error:
            raise self._open_error

    def submit(self, job: Job) -> None:
        self._commands.put(job)

    def forget(self, conversation: str) -> None:
        self._commands.put(conversation)

    def stop(self) -> None:
        """End every job, free the model; blocks for at most one step."""
        self._commands.put(None)
        self._thread.join()

    # Everything below runs in the worker's thread.

    def _run(self) -> None:
        try:
            self._model = self._open_model()
        except Exception as error:
            self._open_error = error
            return
        finally:
            self._is_open.set()
        self._slots = Slots(self._options.n_slots, self._model)
        while self._take_commands():
            self._drop_cancelled()
            self._admit()
            if self._active:
                self._step()
        self._fail_all(TurnFailed("ENGINE_STOPPED", "the server is stopping", is_retryable=True))
        self._model.close()

    def _take_commands(self) -> bool:
        """Wait for work when there is none. False: stop."""
        may_wait = not self._active and not self._waiting
        while True:
            try:
                command = self._commands.get(block=may_wait)
            except Empty:
                return True
            may_wait = False
            if command is None:
                return False
            if isinstance(command, Job):
                self._waiting.append(command)
            else:
                self._forget(command)

    def _forget(self, conversation: str) -> None:
        for job in (*self._waiting, *(active.job for active in self._active)):
            job.is_cancelled = job.is_cancelled or job.conversation == conversation
        self._drop_cancelled()
        self._prompts.pop(conversation, None)
        self._slots.forget(conversation)

    def _drop_cancelled(self) -> None:
        for active in [active for active in self._active if active.job.is_cancelled]:
            self._end(active)
        for job in [job for job in self._waiting if job.is_cancelled]:
            self._waiting.remove(job)
            job.give(None)

    def _admit(self) -> None:
        """Give waiting jobs a slot: turns that stand first, then drafts, then reading ahead."""
        for job in sorted(self._waiting, key=lambda job: (job.reads_ahead, job.is_draft)):
            prompts = self._prompts.setdefault(job.conversation, PromptTokens(self._model))
            prompt = prompts.up_to_caller(job.messages) if job.reads_ahead else prompts.up_to_reply(job.messages)
            for active in [active for active in self._active if active.job.is_made_void_by(job)]:
                self._end(active)
            if len(prompt) + job.max_tokens > self._options.context_tokens:
                self._waiting.remove(job)
                job.give(TurnFailed("HISTORY_TOO_LONG", "the conversation no longer fits the model's context"))
                continue
            slot = self._slots.take(job.conversation, prompt)
            if slot is None:
                return
            self._waiting.remove(job)
            if self._kept and not job.conversation:
                self._kept.restore(slot, prompt, self._model)
            self._active.append(ActiveJob(job, slot, deque(prompt[len(slot.tokens) :])))
            job.give(Began())

    def _step(self) -> None:
        fed = self._feed()
        rows, last_rows = rows_of(fed)
        try:
            has_room = self._model.decode(rows)
        except DecodeFailed as error:
            self._fail_all(TurnFailed("ENGINE_FAILED", str(error), is_retryable=True))
            return
        if not has_room:
            self._make_room()
            return
        for (active, tokens), last_row in zip(fed, last_rows, strict=True):
            active.slot.tokens += tokens
            for _ in range(min(len(tokens), len(active.unread))):
                active.unread.popleft()
            if active.unread:
                continue
            if active.job.reads_ahead:
                self._end(active)
            else:
                self._take_token(active, self._model.sample(last_row))

    def _feed(self) -> list[tuple[ActiveJob, list[int]]]:
        """The tokens of the next step: one of every reply under way, then of prompts, the shortest rest first.

        Reading ahead has the steps that nobody else needs.
        """
        speaking = [active for active in self._active if not active.unread]
        reading = sorted((active for active in self._active if active.unread), key=lambda active: len(active.unread))
        awaited = [active for active in reading if not active.job.reads_ahead]
        limit = _SHARED_STEP_TOKENS if speaking else _LONE_STEP_TOKENS if awaited else _AHEAD_STEP_TOKENS
        fed = [(active, active.made[-1:]) for active in speaking]
        room = min(limit, self._options.batch_tokens - len(fed))
        for active in awaited if speaking or awaited else reading:
            tokens = [active.unread[i] for i in range(min(room, len(active.unread)))]
            if tokens:
                fed.append((active, tokens))
                room -= len(tokens)
        return fed

    def _take_token(self, active: ActiveJob, token: int) -> None:
        if self._model.ends_reply(token):
            self._end(active)
            return
        active.made.append(token)
        text = active.decoder.decode(self._model.piece(token))
        if text:
            active.text += text
            active.job.give(TextMade(text))
        if len(active.made) >= active.job.max_tokens:
            active.job.give(CutShort())
            self._end(active)

    def _make_room(self) -> None:
        """The cache is full: forget whom nobody waits for, else give up the job that began last."""
        if not self._slots.evict():
            busy = TurnFailed("ENGINE_BUSY", "the model's memory is full of other calls", True, retry_delay_ms=500)
            self._end(self._active[-1], busy)

    def _end(self, active: ActiveJob, failure: TurnFailed | None = None) -> None:
        self._active.remove(active)
        job = active.job
        if active.made:
            self._prompts[job.conversation].remember(active.text, active.made)
        if job.conversation:
            self._slots.give_back(active.slot)
        else:
            self._slots.pin(active.slot)
            if self._kept and not failure and not active.unread:
                self._kept.keep(active.slot, self._model)
        job.give(failure)

    def _fail_all(self, failure: TurnFailed) -> None:
        for active in list(self._active):
            self._end(active, failure)
        for job in self._waiting:
            job.give(failure)
        self._waiting.clear()
