"""Continuous batching: which job has a slot and cells of the cache, and which tokens make the next decode step.

No thread and no clock: the worker's thread calls it.
"""

from __future__ import annotations

from collections import deque

from services.nlu.engine import Began, CutShort, ReplyPart, TextMade
from services.nlu.engines.llama_cpp.decoding import Model, ModelBroken
from services.nlu.engines.llama_cpp.jobs import ActiveJob, Job, broken, busy, late, spoken_s
from services.nlu.engines.llama_cpp.model import ModelOptions
from services.nlu.engines.llama_cpp.openings import KeptOpenings
from services.nlu.engines.llama_cpp.pace import StepPace
from services.nlu.engines.llama_cpp.prompt import PromptTokens
from services.nlu.engines.llama_cpp.slots import CacheSlot, CacheSlots
from services.nlu.engines.llama_cpp.steps import due_at, rows_of, tokens_of_step
from services.runtime.errors import TurnFailed
from services.runtime.logs import get_logger

log = get_logger(__name__)

_MOST_FAILED_STEPS = 8  # in a row; then the model itself is broken


class Scheduler:
    """Continuous batching of the jobs of all conversations on one model.

    A job is admitted when its slot and all cells that it may need are free of other jobs, so no job can run out of
    room half-way. For a committed turn, reading ahead and then drafts give up their places; a draft goes on later from
    where it was. Cells of idle conversations count as free: they go first, the ones used longest ago before others.
    """

    def __init__(
        self, model: Model, options: ModelOptions, kept: KeptOpenings | None, pace: StepPace | None = None
    ) -> None:
        """`pace` says how many tokens a step may take."""
        self._model, self._options, self._kept = model, options, kept
        self._pace = pace or StepPace()
        self.n_step_tokens = 0  # of the last step whose result was waited for: a GPU computes behind its queue
        self._slots = CacheSlots(options.n_slots, model)
        self._waiting: deque[Job] = deque()
        self._active: list[ActiveJob] = []
        self._prompts: dict[str, PromptTokens] = {}
        self._n_read = 0  # tokens of prompts, ever
        self._n_failed_steps = 0
        self._is_crowded = False  # in spite of the reservations: no job is admitted before one ends

    @property
    def has_work(self) -> bool:
        return bool(self._active or self._waiting)

    def add(self, job: Job) -> None:
        self._end_voided_by(job)
        self._waiting.append(job)

    def forget(self, conversation: str) -> None:
        """End the jobs of a conversation and free what it holds."""
        for job in (*self._waiting, *(active.job for active in self._active)):
            job.is_cancelled = job.is_cancelled or job.conversation == conversation
        self._drop_cancelled()
        self._prompts.pop(conversation, None)
        self._slots.forget(conversation)

    def run_step(self, now: float = 0.0) -> None:
        """Admit what may be admitted and compute one step; `now` in seconds on any clock. Raises ModelBroken."""
        self.n_step_tokens = 0
        self._drop_cancelled()
        self._drop_late(now)
        self._admit()
        if self._active:
            self._step(now)
        elif self._waiting:  # the checks at the start rule this out; waiting for nothing would be for ever
            self._refuse(self._waiting[0], busy())

    def fail_all(self, failure: TurnFailed) -> None:
        for active in list(self._active):
            self._end(active, failure)
        for job in list(self._waiting):
            self._refuse(job, failure)

    # Admission

    def _drop_cancelled(self) -> None:
        for active in [active for active in self._active if active.job.is_cancelled]:
            self._end(active)
        for job in [job for job in self._waiting if job.is_cancelled]:
            self._refuse(job, None)

    def _drop_late(self, now: float) -> None:
        """End the jobs whose time is over: one with text as complete, any other as refused."""

        def is_late(job: Job) -> bool:
            return job.deadline_s is not None and now >= job.deadline_s

        for active in [active for active in self._active if is_late(active.job)]:
            if active.job.text:
                self._give(active.job, CutShort())
            self._end(active, None if active.job.text or active.job.reads_ahead else late(), keeps_cells=True)
        for job in [job for job in self._waiting if is_late(job)]:
            if job.text:
                self._give(job, CutShort())
            self._refuse(job, None if job.text or job.reads_ahead else late())

    def _admit(self) -> None:
        """Give waiting jobs a slot: committed turns first, then drafts, then reading ahead."""
        if self._is_crowded and self._active:
            return
        for job in sorted(self._waiting, key=lambda job: job.rank):
            try:
                if not self._admit_one(job):
                    return
            except TurnFailed as failure:
                self._refuse(job, failure)
            except Exception as error:
                log.exception("job_broke")
                self._refuse(job, broken(error))

    def _admit_one(self, job: Job) -> bool:
        """Admit a job. False: it has to wait. Raises the error that ends this job alone."""
        if job not in self._waiting:
            return True  # made void by one before it
        if job.prompt is None:
            job.prompt = self._prompt(job)
        self._end_voided_by(job)
        prompt = [*job.prompt, *job.made]
        cells = len(job.prompt) + job.most_tokens - self._slots.n_shared_with_pinned(prompt)
        if cells > self._options.context_tokens - self._slots.n_pinned_tokens:
            raise TurnFailed("HISTORY_TOO_LONG", "the conversation no longer fits the model's context")
        if not self._make_room_for(job, cells):
            return False
        slot = self._take_slot(job, prompt)
        if slot is None:
            return False
        if job.is_opening:
            self._restore(slot, prompt)
        self._waiting.remove(job)
        unread = deque(prompt[len(slot.tokens) :])
        if job.due_at < 0:  # one that was put off keeps its place
            job.due_at = due_at(self._n_read, len(unread))
        self._active.append(ActiveJob(job, slot, unread, cells))
        if not job.has_begun:
            job.has_begun = True
            self._give(job, Began())
        return True

    def _prompt(self, job: Job) -> list[int]:
        prompts = self._prompts.setdefault(job.conversation, PromptTokens(self._model))
        if job.reads_ahead:
            return prompts.up_to_next(job.messages)
        begun = self._model.tokenize(job.begun, is_template=False) if job.begun else []
        return prompts.up_to_reply(job.messages) + begun

    def _end_voided_by(self, job: Job) -> None:
        for active in [active for active in self._active if active.job.is_made_void_by(job)]:
            self._end(active)
        for waiting in list(self._waiting):
            if waiting is job:
                return  # those behind it are later than it, and read further
            if waiting.is_made_void_by(job):
                self._refuse(waiting, None)

    def _make_room_for(self, job: Job, cells: int) -> bool:
        """Preempt jobs of lower rank where that makes room enough. False: it does not."""
        free = self._options.context_tokens - self._slots.n_pinned_tokens - sum(a.cells for a in self._active)
        lesser = self._lesser(job)
        if free + sum(active.cells for active in lesser) < cells:
            return False
        while free < cells:
            free += lesser[0].cells
            self._put_off(lesser.pop(0))
        return True

    def _take_slot(self, job: Job, prompt: list[int]) -> CacheSlot | None:
        while (slot := self._slots.take(job.conversation, prompt)) is None:
            lesser = self._lesser(job)
            if not lesser:
                return None
            self._put_off(lesser[0])
        return slot

    def _lesser(self, job: Job) -> list[ActiveJob]:
        """Return the jobs to preempt for a job, in order: reading ahead, then drafts, the youngest first of each."""
        lesser = [active for active in reversed(self._active) if active.job.rank > job.rank]
        return sorted(lesser, key=lambda active: -active.job.rank)

    def _put_off(self, active: ActiveJob) -> None:
        """Preempt a job: it waits for another slot, except that reading ahead for a conversation is over."""
        if active.job.reads_ahead and not active.job.is_opening:
            self._end(active)
            return
        self._active.remove(active)
        self._slots.give_back(active.slot)
        self._waiting.appendleft(active.job)

    # Steps

    def _step(self, now: float) -> None:
        fed = tokens_of_step(self._active, self._pace, self._options.batch_tokens, now=now)
        rows, last_rows = rows_of(fed)
        try:
            has_room = self._model.decode(rows)
        except Exception as error:
            self._fail_step(fed, error)
            return
        if not has_room:
            self._make_room()
            return
        self._n_failed_steps = 0
        for (active, tokens), last_row in zip(fed, last_rows, strict=True):
            active.slot.tokens += tokens
            n_read = min(len(tokens), len(active.unread))
            for _ in range(n_read):
                active.unread.popleft()
            self._n_read += n_read
            if active.unread:
                continue
            if active.job.reads_ahead:
                self._end(active)
                continue
            try:
                calls = active.job.calls
                self._model.use_sampler(self._sampler_of(active.job))
                token = calls.sample(self._model, last_row) if calls else self._model.sample(last_row)
                self.n_step_tokens = len(rows)
                self._take_token(active, token, now)
            except Exception as error:
                log.exception("job_broke")
                self._end(active, broken(error))

    def _sampler_of(self, job: Job) -> int:
        if job.sampler is None:
            job.sampler = self._model.open_sampler(job.sampling)
        return job.sampler

    def _take_token(self, active: ActiveJob, token: int, now: float) -> None:
        job = active.job
        if self._model.ends_reply(token):
            self._end(active)
            return
        job.made.append(token)
        job.last_token_s = now
        text = job.decoder.decode(self._model.spelled(token) if job.calls else self._model.piece(token))
        if text:
            job.text += text
            if not job.is_in_call:
                job.text_s += spoken_s(text)
                job.speaks_since_s = now if job.speaks_since_s is None else job.speaks_since_s
            self._give(job, TextMade(text))
        if job.is_full:
            self._give(job, CutShort())
            self._end(active)

    def _fail_step(self, fed: list[tuple[ActiveJob, list[int]]], error: Exception) -> None:
        """A step failed: end its jobs and drop their cells, whose content is not known any more."""
        log.error("step_failed", error=f"{type(error).__name__}: {error}", n_jobs=len(fed))
        for active, _ in fed:
            self._end(active, broken(error))
        self._n_failed_steps += 1
        if self._n_failed_steps >= _MOST_FAILED_STEPS:
            raise ModelBroken(f"{self._n_failed_steps} steps in a row failed") from error

    def _make_room(self) -> None:
        """The cache is full in spite of the reservations: evict idle conversations, then the job of lowest rank."""
        if self._slots.evict():
            return
        least = max(reversed(self._active), key=lambda active: active.job.rank)
        if len(self._active) > 1 and least.job.rank > 0:
            self._put_off(least)
            self._is_crowded = True
        else:
            self._end(least, busy())

    def _end(self, active: ActiveJob, failure: TurnFailed | None = None, *, keeps_cells: bool = False) -> None:
        """End a job. `keeps_cells`: the cells of a job that failed are right all the same."""
        self._active.remove(active)
        self._is_crowded = False
        job, slot = active.job, active.slot
        self._close(job)
        if job.made and not job.begun:
            self._prompts[job.conversation].remember(job.text, job.made)
        if (failure is not None and not keeps_cells) or (job.is_opening and active.unread):
            self._slots.drop(slot)
        elif job.is_opening:
            self._slots.pin(slot)
            self._keep(slot)
        else:
            self._slots.give_back(slot)
        self._give(job, failure)

    def _restore(self, slot: CacheSlot, prompt: list[int]) -> None:
        if self._kept is None:
            return
        try:
            self._kept.restore(slot, prompt, self._model)
        except Exception:
            log.exception("opening_not_restored")
            self._model.cut(slot.index, 0)
            slot.tokens.clear()

    def _keep(self, slot: CacheSlot) -> None:
        if self._kept is None:
            return
        try:
            self._kept.keep(slot, self._model)
        except Exception:
            log.exception("opening_not_kept")

    def _refuse(self, job: Job, failure: TurnFailed | None) -> None:
        """End a job that waits."""
        self._waiting.remove(job)
        self._close(job)
        self._give(job, failure)

    def _close(self, job: Job) -> None:
        if job.calls is not None:
            job.calls.close()
        if job.sampler is not None:
            self._model.close_sampler(job.sampler)
            job.sampler = None

    def _give(self, job: Job, part: ReplyPart | TurnFailed | None) -> None:
        try:
            job.give(part)
        except Exception as error:  # the event loop is closed: no result is awaited
            log.warning("reply_not_given", error=f"{type(error).__name__}: {error}")
            job.is_cancelled = True
