"""The one thread that owns the model: it batches all conversations into decode steps."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from services.nlu.engine import Began, CutShort, Message, ReplyPart, TextMade
from services.nlu.engines.llama_cpp.model import DecodeFailed, LlamaModel, ModelOptions, Row
from services.nlu.engines.llama_cpp.prompt import PromptTokens
from services.nlu.engines.llama_cpp.slots import Slot, Slots
from services.runtime.errors import TurnFailed

_SHARED_STEP_TOKENS = 32  # of a prompt in a step that also speaks for somebody: nobody stutters
_LONE_STEP_TOKENS = 128  # of a prompt in a step of its own: a cancel is seen between steps


@dataclass(slots=True, eq=False)
class Job:
    """One reply to make, or with no tokens to make only messages to read."""

    conversation: str  # empty: an opening that every conversation shares
    messages: tuple[Message, ...]
    max_tokens: int
    is_draft: bool
    give: Callable[[ReplyPart | TurnFailed | None], None]  # called in the worker's thread; None: the end
    is_cancelled: bool = False  # set from any thread, seen before the next step


@dataclass(slots=True, eq=False)
class _Active:
    """A job that has a slot."""

    job: Job
    slot: Slot
    unread: deque[int]  # of the prompt
    made: list[int] = field(default_factory=list)
    text: str = ""
    decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))


class Worker:
    """Runs jobs. `start`, `submit`, `forget` and `stop` may be called from any thread."""

    def __init__(self, path: Path, options: ModelOptions) -> None:
        self._path, self._options = path, options
        self._commands: SimpleQueue[Job | str | None] = SimpleQueue()  # a job; a conversation to forget; None: stop
        self._waiting: deque[Job] = deque()
        self._active: list[_Active] = []
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
            self._model = LlamaModel(self._path, self._options)
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
        for job in sorted(self._waiting, key=lambda job: (job.max_tokens == 0, job.is_draft)):
            prompt = self._prompts.setdefault(job.conversation, PromptTokens(self._model)).of(
                job.messages, opens_reply=job.max_tokens > 0
            )
            if len(prompt) + job.max_tokens > self._options.context_tokens:
                self._waiting.remove(job)
                job.give(TurnFailed("HISTORY_TOO_LONG", "the conversation no longer fits the model's context"))
                continue
            slot = self._slots.take(job.conversation, prompt)
            if slot is None:
                return
            self._waiting.remove(job)
            self._active.append(_Active(job, slot, deque(prompt[len(slot.tokens) :])))
            job.give(Began())

    def _step(self) -> None:
        fed = self._feed()
        rows, last_rows = _rows(fed)
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
            if active.job.max_tokens:
                self._take_token(active, self._model.sample(last_row))
            else:
                self._end(active)

    def _feed(self) -> list[tuple[_Active, list[int]]]:
        """The tokens of the next step: one of every reply under way, then of prompts, the shortest rest first."""
        speaking = [active for active in self._active if not active.unread]
        reading = sorted((active for active in self._active if active.unread), key=lambda active: len(active.unread))
        fed = [(active, active.made[-1:]) for active in speaking]
        room = min(_SHARED_STEP_TOKENS if speaking else _LONE_STEP_TOKENS, self._options.batch_tokens - len(fed))
        for active in reading:
            tokens = [active.unread[i] for i in range(min(room, len(active.unread)))]
            if tokens:
                fed.append((active, tokens))
                room -= len(tokens)
        return fed

    def _take_token(self, active: _Active, token: int) -> None:
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

    def _end(self, active: _Active, failure: TurnFailed | None = None) -> None:
        self._active.remove(active)
        job = active.job
        if active.made:
            self._prompts[job.conversation].remember(active.text, active.made)
        if job.conversation:
            self._slots.give_back(active.slot)
        else:
            self._slots.pin(active.slot)
        job.give(failure)

    def _fail_all(self, failure: TurnFailed) -> None:
        for active in list(self._active):
            self._end(active, failure)
        for job in self._waiting:
            job.give(failure)
        self._waiting.clear()


def _rows(fed: list[tuple[_Active, list[int]]]) -> tuple[list[Row], list[int]]:
    """The rows of a step, and for each job which row is its last."""
    rows: list[Row] = []
    last_rows: list[int] = []
    for active, tokens in fed:
        start = len(active.slot.tokens)
        completes = len(tokens) >= len(active.unread) and active.job.max_tokens > 0
        for i, token in enumerate(tokens):
            rows.append(Row(active.slot.index, start + i, token, completes and i == len(tokens) - 1))
        last_rows.append(len(rows) - 1)
    return rows, last_rows
