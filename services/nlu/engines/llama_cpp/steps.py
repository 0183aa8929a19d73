"""Composition of a decode step: the tokens of each job, and the rows of the batch. Sans-IO."""

from __future__ import annotations

from collections.abc import Sequence

from services.nlu.engines.llama_cpp.jobs import ActiveJob
from services.nlu.engines.llama_cpp.model import Row
from services.nlu.engines.llama_cpp.pace import LEAST_TOKENS, StepPace

_WAITED_FOR = 4  # a prompt of 100 tokens is overtaken by shorter ones until 400 have been read
LONGEST_REST_S = 0.4  # of a reply: a chain takes more between two tokens for a stall (NLU_TOKEN_GAP_LIMIT_S)
_OLDEST_SHARE = 4  # the part of a step, 1/4, that is the oldest prompt's


def tokens_of_step(
    active_jobs: Sequence[ActiveJob], pace: StepPace, batch_tokens: int, *, now: float
) -> list[tuple[ActiveJob, list[int]]]:
    """Return the tokens of the next step: one of every reply under way, then of prompts: committed turns' before
    drafts', and of each by `due_at`. `active_jobs` in the order they were admitted; `now` in seconds on the clock of
    `run_step`.

    A reply whose words are further ahead of their speech than `StepPace.lead_s` gives its token up while prompts wait,
    for `LONGEST_REST_S` at most: its caller hears no difference, while the other caller hears nothing yet. A step of
    fewer than `LEAST_TOKENS` takes replies that are ahead as well, since they cost it little. The
    prompt that was admitted first has a quarter of the step, however many others come. Reading ahead has the steps that
    no other job needs.
    """
    reading = sorted(
        (active for active in active_jobs if active.unread), key=lambda active: (active.job.rank, active.job.due_at)
    )
    awaited = [active for active in reading if not active.job.reads_ahead]
    speaking = [active for active in active_jobs if not active.unread]
    resting: list[ActiveJob] = []
    if awaited:
        rank, lead_s = awaited[0].job.rank, pace.lead_s(len(awaited))
        resting = [
            active
            for active in speaking
            if active.job.rank >= rank
            and active.job.lead_s(now) >= lead_s
            and now - active.job.last_token_s < LONGEST_REST_S
        ]
        speaking = [active for active in speaking if active not in resting]
    speaking = speaking[:batch_tokens]
    alone = pace.lone_tokens() if awaited else pace.ahead_tokens()
    limit = pace.shared_tokens(len(speaking)) if speaking else alone
    fed = [(active, active.job.made[-1:]) for active in speaking]
    room = min(limit, batch_tokens - len(fed))
    order = awaited if speaking or awaited else reading
    kept = 0
    oldest = _oldest(active_jobs, order)
    if oldest is not None and oldest is not order[0]:
        kept = min(room // _OLDEST_SHARE, len(oldest.unread))
    for active in order:
        kept = 0 if active is oldest else kept
        tokens = [active.unread[i] for i in range(min(room - kept, len(active.unread)))]
        if tokens:
            fed.append((active, tokens))
            room -= len(tokens)
    resting.sort(key=lambda active: active.job.last_token_s)  # those that have rested longest
    n_free = min(LEAST_TOKENS, batch_tokens) - sum(len(tokens) for _, tokens in fed)
    return [(active, active.job.made[-1:]) for active in resting[: max(0, n_free)]] + fed


def due_at(n_read: int, n_unread: int) -> int:
    """Return the place of a prompt of `n_unread` tokens among the others, once `n_read` tokens of prompts have been
    read: a short one goes before a longer one, but not before one that has waited for `_WAITED_FOR` times its own
    length.
    """
    return n_read + _WAITED_FOR * n_unread


def _oldest(active_jobs: Sequence[ActiveJob], order: Sequence[ActiveJob]) -> ActiveJob | None:
    """Return the prompt to read that was admitted first, among those of the best rank."""
    if not order:
        return None
    rank, members = order[0].job.rank, set(map(id, order))
    return next(active for active in active_jobs if id(active) in members and active.job.rank == rank)


def rows_of(fed: list[tuple[ActiveJob, list[int]]]) -> tuple[list[Row], list[int]]:
    """Return the rows of a step, and for each job which row is its last."""
    rows: list[Row] = []
    last_rows: list[int] = []
    for active, tokens in fed:
        start = len(active.slot.tokens)
        completes = len(tokens) >= len(active.unread) and not active.job.reads_ahead
        for i, token in enumerate(tokens):
            rows.append(Row(active.slot.index, start + i, token, completes and i == len(tokens) - 1))
        last_rows.append(len(rows) - 1)
    return rows, last_rows
