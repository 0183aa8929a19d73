"""Worker thread that owns the model: takes jobs from other threads and runs the scheduler's steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread

from services.nlu.engine import Message
from services.nlu.engines.llama_cpp.decoding import Model
from services.nlu.engines.llama_cpp.jobs import Job
from services.nlu.engines.llama_cpp.model import ModelOptions, Row
from services.nlu.engines.llama_cpp.openings import KeptOpenings, check_openings
from services.nlu.engines.llama_cpp.pace import (
    DECODE_ONLY_FACTOR,
    LONE_FACTOR,
    SHARED_STEP_S,
    StepPace,
    sizes_to_measure,
)
from services.nlu.engines.llama_cpp.scheduler import Scheduler
from services.nlu.tool_form import ToolForm
from services.runtime.errors import TurnFailed
from services.runtime.logs import get_logger
from services.runtime.watchdog import ENGINE_THREADS, LostThread

log = get_logger(__name__)

LONGEST_STEP_S = 30.0  # 64 tokens of a prompt through a model of 8 billion parameters on two slow cores


def measure_pace(model: Model, options: ModelOptions, clock: Callable[[], float] = time.perf_counter) -> StepPace:
    """Time steps of growing size on the empty cache, up to one that takes as long as any may."""
    seconds: dict[int, float] = {}
    for size in sizes_to_measure(min(options.batch_tokens, options.context_tokens)):
        rows = [Row(0, position, position % 50 + 1, position == size - 1) for position in range(size)]
        took = []
        for _ in range(3 if size == 1 else 2):  # the first step of all also sets the backend up
            began_s = clock()
            if not model.decode(rows):
                return StepPace()
            model.sample(size - 1)  # a GPU computes behind its queue: only the result says that it has
            took.append(clock() - began_s)
            model.cut(0, 0)
        seconds[size] = min(took)
        if seconds[size] > LONE_FACTOR * max(SHARED_STEP_S, DECODE_ONLY_FACTOR * seconds[1]):
            break
    pace = StepPace(seconds, most_tokens=options.batch_tokens)
    log.info("steps_measured", **pace.describe())
    return pace


class ModelWorker:
    """Worker of one model. `start`, `submit`, `forget` and `stop` may be called from any thread."""

    def __init__(
        self,
        open_model: Callable[[], Model],
        options: ModelOptions,
        kept: KeptOpenings | None,
        on_lost: Callable[[str], bool] = lambda why: False,
        *,
        measures: bool = False,
    ) -> None:
        """`open_model` is called in the worker's thread; `kept`: where openings are kept from one start to the next.
        `on_lost` is called on the event loop with the reason for which the thread ended; True: the service goes on
        without it. `measures`: time steps at the start, and size them by that.
        """
        self._open_model, self._options, self._kept = open_model, options, kept
        self._commands: SimpleQueue[Job | str | None] = SimpleQueue()  # a job; a conversation to forget; None: stop
        self._thread = Thread(target=self._run, name="llama", daemon=True)
        self._on_lost, self._measures = on_lost, measures
        self._is_lost = False
        self._watch = ENGINE_THREADS.add("llama_cpp", longest_call_s=LONGEST_STEP_S, on_lost=self._lose)
        self._is_open = Event()
        self._open_error: Exception | None = None
        self._openings: Sequence[Sequence[Message]] = ()
        self._max_reply_tokens = self._max_prompt_chars = 0
        self.tool_form: ToolForm | None = None  # of the model's template, once it is loaded
        self._end: TurnFailed | None = None  # what jobs fail with once the thread has ended

    def start(
        self, openings: Sequence[Sequence[Message]] = (), *, max_reply_tokens: int = 0, max_prompt_chars: int = 0
    ) -> None:
        """Load the model and check that it has room for the openings; blocks. Raises StartupError."""
        self._openings, self._max_reply_tokens, self._max_prompt_chars = openings, max_reply_tokens, max_prompt_chars
        self._thread.start()
        self._is_open.wait()
        if self._open_error:
            self._watch.close()
            raise self._open_error

    def submit(self, job: Job) -> None:
        self._commands.put(job)
        if self._end is not None:
            self._refuse_rest()

    def forget(self, conversation: str) -> None:
        self._commands.put(conversation)

    def stop(self) -> None:
        """End every job, free the model; blocks for at most one step."""
        self._watch.close()
        self._commands.put(None)
        if not self._is_lost:  # a thread that hangs never ends
            self._thread.join()

    def _lose(self, lost: LostThread) -> bool:
        """The watchdog has found the thread lost. Return whether the service goes on without it."""
        self._is_lost = self._on_lost(f"its thread {lost.cause}")
        return self._is_lost

    # Everything below runs in the worker's thread, except that `submit` may refuse the rest after its end.

    def _run(self) -> None:
        self._watch.enter()
        try:
            model = self._open_model()
            self.tool_form = model.tool_form
            pace = measure_pace(model, self._options) if self._measures else StepPace()
            scheduler = Scheduler(model, self._options, self._kept, pace)
            check_openings(
                model,
                self._options,
                self._openings,
                max_reply_tokens=self._max_reply_tokens,
                max_prompt_chars=self._max_prompt_chars,
            )
        except Exception as error:
            self._open_error = error
            return
        finally:
            self._is_open.set()
        end = TurnFailed("ENGINE_STOPPED", "the server is stopping", is_retryable=True)
        try:
            while self._take_commands(scheduler):
                began_s = time.monotonic()
                with self._watch.call():
                    scheduler.run_step(began_s)
                pace.note(scheduler.n_step_tokens, time.monotonic() - began_s)
        except Exception:
            log.exception("model_thread_broke")
            end = TurnFailed("ENGINE_FAILED", "the model's thread has ended", is_retryable=True)
        self._end = end
        scheduler.fail_all(end)
        self._refuse_rest()
        model.close()

    def _take_commands(self, scheduler: Scheduler) -> bool:
        """Wait for work when there is none. False: stop."""
        may_wait = not scheduler.has_work
        while True:
            try:
                command = self._commands.get(block=may_wait)
            except Empty:
                return True
            may_wait = False
            if command is None:
                return False
            if isinstance(command, Job):
                scheduler.add(command)
            else:
                scheduler.forget(command)

    def _refuse_rest(self) -> None:
        """Fail the jobs that will not be run."""
        while True:
            try:
                command = self._commands.get_nowait()
            except Empty:
                return
            if isinstance(command, Job):
                command.give(self._end)
