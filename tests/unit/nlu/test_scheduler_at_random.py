"""The scheduler under whatever comes: calls admitted, cancelled, committed, evicted, failed and late, in any order.

No token of one call is said in another, each turn ends once, a cancelled one takes no further step, none starves, and
nothing is left behind.
"""

import gc
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.nlu.engine import CutShort, Message, ReplyPart, Role, Sampling, TextMade
from services.nlu.engines.llama_cpp.jobs import Job
from services.nlu.engines.llama_cpp.model import ModelOptions, Row
from services.nlu.engines.llama_cpp.scheduler import Scheduler
from services.runtime.errors import TurnFailed
from tests.unit.nlu.fake_model import LetterModel

CANARY = re.compile(r"c\d{5}")


class Indiscreet(LetterModel):
    """Says every canary that its slot's cells hold. Keeps no steps but the last: only the scheduler can grow."""

    def decode(self, rows: Sequence[Row]) -> bool:
        self.steps.clear()
        return super().decode(rows)

    def sample(self, row: int) -> int:
        text = "".join(map(chr, self.cells[self.steps[-1][row].slot]))
        told, _, said = text.rpartition("<assistant>")
        answer = ",".join(sorted(set(CANARY.findall(told)))) + "."
        return ord(answer[len(said)]) if len(said) < len(answer) else 0


@dataclass(eq=False)
class Turn:
    """One job and what came of it."""

    canary: str
    received: list[ReplyPart | TurnFailed | None] = field(default_factory=list)
    job: Job | None = None
    steps_since_cancel: int = 0

    @property
    def n_ends(self) -> int:
        return sum(part is None or isinstance(part, TurnFailed) for part in self.received)

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.received if isinstance(part, TextMade))


class Traffic:
    """A scheduler, the turns that are open on it, and a clock that runs by a second a step."""

    def __init__(self, seed: int, *, cells: int, slots: int) -> None:
        self.random, self.now, self.n_turns = Random(seed), 0.0, 0
        self.model = Indiscreet(max_cells=cells)
        self.scheduler = Scheduler(
            self.model, ModelOptions(cells, slots, 64, threads=1, gpu_layers=0, temperature=0), None
        )
        self.open: list[Turn] = []
        self.opening = Message(Role.SYSTEM, "You are Linh.")
        self.scheduler.add(Job("", (self.opening,), 0, False, lambda _: None))
        self.last_failed_at = -1.0
        self.longest_s = 0.0

    def begin(self, call: int) -> Turn:
        random = self.random
        turn = Turn(f"c{call:05}")
        messages = (self.opening, Message(Role.CALLER, f"I am {turn.canary}" + "." * random.randrange(60)))
        reads_ahead = random.random() < 0.1
        deadline_s = self.now + random.randrange(3, 40) if random.random() < 0.3 else None
        turn.job = Job(f"call-{call}", messages, 0 if reads_ahead else 24, random.random() < 0.3, turn.received.append)
        turn.job.deadline_s, turn.job.sampling = deadline_s, Sampling(temperature=random.random())
        self.scheduler.add(turn.job)
        self.open.append(turn)
        self.n_turns += 1
        return turn

    def disturb(self) -> None:
        random = self.random
        if not self.open:
            return
        job = random.choice(self.open).job
        assert job is not None
        match random.choice(("commit", "cancel", "forget", "fault", "evict", "", "", "")):
            case "commit":
                job.is_draft = False
            case "cancel":
                job.is_cancelled = True
            case "forget":
                self.scheduler.forget(job.conversation)
            case "fault" if self.now - self.last_failed_at > 3:
                self.last_failed_at = self.now
                self.model.fails.append(True)
            case "evict":
                self.scheduler._slots.evict()

    def step(self) -> None:
        self.now += 1.0
        cancelled = [turn for turn in self.open if turn.job is not None and turn.job.is_cancelled]
        parts_before = [sum(isinstance(part, TextMade) for part in turn.received) for turn in cancelled]
        if self.scheduler.has_work:
            self.scheduler.run_step(self.now)
        for turn, n_before in zip(cancelled, parts_before, strict=True):
            assert turn.n_ends == 1, "a cancel has its effect within one step"
            assert sum(isinstance(part, TextMade) for part in turn.received) == n_before
        for turn in self.open:
            assert set(CANARY.findall(turn.text)) <= {turn.canary}
            assert turn.n_ends <= 1, "each turn ends once"
            deadline_s = turn.job.deadline_s if turn.job else None
            assert turn.n_ends or deadline_s is None or self.now < deadline_s, "time is a bound, not tokens only"
        self.open = [turn for turn in self.open if not turn.n_ends]

    def drain(self) -> None:
        for _ in range(20_000):
            if not self.scheduler.has_work:
                break
            self.step()
        assert not self.open
        assert not self.model.samplers, "every reply's sampler is closed"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(300, 3000), st.integers(4, 32))
def test_whatever_comes_each_turn_ends_once_and_says_its_own_words(seed: int, cells: int, slots: int) -> None:
    traffic = Traffic(seed, cells=cells, slots=slots)
    for _ in range(200):
        traffic.begin(traffic.random.randrange(30))
        for _ in range(traffic.random.choice((0, 1, 2, 6))):
            traffic.disturb()
            traffic.step()
    traffic.drain()


def test_ten_thousand_calls_at_random_leave_nothing_behind() -> None:
    traffic = Traffic(18, cells=900, slots=12)
    held: list[int] = []
    for call in range(10_000):
        traffic.begin(call)
        while len(traffic.open) > traffic.random.randrange(12):
            if traffic.random.random() < 0.1:
                traffic.disturb()
            traffic.step()
        if call >= 12:
            traffic.scheduler.forget(f"call-{call - 12}")
        if call % 2000 == 1999:
            traffic.drain()
            traffic.scheduler.run_step(traffic.now)
            for old in range(call - 12, call + 1):
                traffic.scheduler.forget(f"call-{old}")
            gc.collect()
            held.append(len(gc.get_objects()))
    assert traffic.n_turns == 10_000
    assert held[-1] - held[0] < 200, "memory is flat"
    assert sum(map(bool, traffic.model.cells.values())) == 1, "of all slots only the opening's has cells"


def test_a_long_prompt_is_read_in_spite_of_short_ones_without_end() -> None:
    traffic = Traffic(1, cells=4000, slots=16)
    long = Turn("c00001")
    long.job = Job(
        "long", (traffic.opening, Message(Role.CALLER, "c00001" + "." * 2000)), 24, False, long.received.append
    )
    traffic.scheduler.add(long.job)
    received: list[ReplyPart | TurnFailed | None] = []
    n_asked = 0
    while not long.n_ends and n_asked < 500:
        while n_asked - sum(part is None for part in received) < 4:  # always more of them than a step takes
            n_asked += 1
            asked = (traffic.opening, Message(Role.CALLER, f"{n_asked:04}" + "." * 200))
            traffic.scheduler.add(Job(f"short-{n_asked}", asked, 4, False, received.append))
        traffic.scheduler.run_step()
    assert long.text == "c00001."
    assert sum(part is None for part in received) > 10, "short ones are answered meanwhile"


def test_a_reply_whose_time_is_over_ends_with_what_it_has_said() -> None:
    traffic = Traffic(1, cells=4000, slots=8)
    turn = traffic.begin(7)
    assert turn.job is not None
    turn.job.max_tokens, turn.job.is_draft, turn.job.deadline_s = 24, False, None
    while len(turn.text) < 3:
        traffic.step()
    turn.job.deadline_s = traffic.now + 1
    traffic.step()
    assert turn.text == "c00"
    assert turn.received[-2:] == [CutShort(), None]


def test_a_turn_that_waits_past_its_time_is_refused_as_busy() -> None:
    traffic = Traffic(1, cells=150, slots=4)
    turns = [traffic.begin(number) for number in range(6)]
    for turn in turns:
        assert turn.job is not None
        turn.job.max_tokens, turn.job.is_draft, turn.job.deadline_s = 24, False, 2.0
    traffic.drain()
    failures = [part for turn in turns for part in turn.received if isinstance(part, TurnFailed)]
    assert failures
    assert {failure.reason for failure in failures} == {"ENGINE_BUSY"}
