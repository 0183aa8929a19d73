"""Chats at once on a model whose steps take the time they took on two cores: how soon each hears something, and how
much is said in all, beside one model behind a lock. In virtual time, so that no other work on the machine is in it.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import pytest

from services.nlu.engine import Message, ReplyPart, Role, TextMade
from services.nlu.engines.llama_cpp.constrained import ConstrainedCalls, SamplingModel
from services.nlu.engines.llama_cpp.jobs import Job, spoken_s
from services.nlu.engines.llama_cpp.model import ModelOptions, Row
from services.nlu.engines.llama_cpp.pace import StepPace
from services.nlu.engines.llama_cpp.scheduler import Scheduler
from services.runtime.errors import TurnFailed
from tests.unit.nlu.fake_model import LetterModel

STEP_S = {1: 0.030, 2: 0.043, 4: 0.064, 8: 0.100, 16: 0.155, 32: 0.296, 64: 0.512, 128: 1.046}
"""Of Qwen2.5 0.5B in Q4_K_M: CPU seconds of two threads on two cores, halved."""
OPENING, QUESTION, REPLY_TOKENS, TURNS = 60, 12, 32, 3
BYTES_A_TOKEN = 4  # of English


def step_s(n_tokens: int) -> float:
    sizes = sorted(STEP_S)
    i = min(max(bisect_left(sizes, n_tokens), 1), len(sizes) - 1)
    low, high = sizes[i - 1], sizes[i]
    return STEP_S[low] + (STEP_S[high] - STEP_S[low]) * (n_tokens - low) / (high - low)


class TimedModel(LetterModel):
    """Model whose steps take time; a turn costs six tokens of template, and a token is a word of four bytes."""

    now = 0.0

    def render(self, messages: Sequence[tuple[str, str]], *, opens_reply: bool) -> str:
        rendered = "".join(f"<{role[0]}>{text}/" for role, text in messages)
        return rendered + ("<A>" if opens_reply else "")

    def piece(self, token: int) -> bytes:
        return super().piece(token) * BYTES_A_TOKEN

    def sample(self, row: int) -> int:
        assert self.steps[-1][row].wants_next
        return ord("y")

    def decode(self, rows: Sequence[Row]) -> bool:
        self.now += step_s(len(rows))
        del self.steps[:-1]
        return super().decode(rows)


class Chats:
    """Chats that each ask the next question as soon as the answer is whole."""

    def __init__(self, n_chats: int) -> None:
        self.model = TimedModel(max_cells=10**6)
        options = ModelOptions(10**5, 2 * n_chats + 6, 256, threads=1, gpu_layers=0, temperature=0)
        pace = StepPace({size: STEP_S[size] for size in (1, 8, 16, 32)}, most_tokens=256)
        self.scheduler = Scheduler(self.model, options, None, pace)
        self.first_s: list[float] = []
        self.gaps_s: list[float] = []  # how long a caller who hears 15 bytes a second waits for the next word
        self.n_tokens = 0
        opening = Message(Role.SYSTEM, "s" * OPENING)
        self.scheduler.add(Job("", (opening,), 0, True, lambda _: None))
        self.run()
        self.began_s = self.model.now
        for number in range(n_chats):
            self.ask(number, (Message(Role.SYSTEM, f"{opening.text}{number:02}"),), 1)

    def ask(self, number: int, messages: tuple[Message, ...], turn: int) -> None:
        asked_s, times = self.model.now, list[float]()
        messages += (Message(Role.CALLER, "q" * QUESTION),)

        def give(part: ReplyPart | TurnFailed | None) -> None:
            if isinstance(part, TextMade):
                times.append(self.model.now)
            elif part is None:
                self.first_s.append(times[0] - asked_s)
                self.n_tokens += len(times)
                self.gaps_s.append(max(at - times[0] - i * BYTES_A_TOKEN / 15 for i, at in enumerate(times)))
                if turn < TURNS:
                    answered = (*messages, Message(Role.AGENT, "y" * BYTES_A_TOKEN * len(times)))
                    self.ask(number, answered, turn + 1)

        self.scheduler.add(Job(f"c{number}", messages, REPLY_TOKENS, False, give))

    def run(self) -> None:
        while self.scheduler.has_work:
            self.scheduler.run_step(self.model.now)


def behind_a_lock(n_chats: int) -> tuple[list[float], float]:
    """(seconds to each first token, tokens a second): one after another; the opening is read once, and each chat's
    history again for each of its turns.
    """
    now, first_s, waiting = step_s(OPENING), list[float](), deque((0.0, 1) for _ in range(n_chats))
    n_turns = len(waiting) * TURNS
    while waiting:
        asked_s, turn = waiting.popleft()
        history = QUESTION + 10 + (turn - 1) * (REPLY_TOKENS + QUESTION + 7)
        now += step_s(history)
        first_s.append(now - asked_s)
        now += step_s(1) * (REPLY_TOKENS - 1)
        if turn < TURNS:
            waiting.append((now, turn + 1))
    return first_s, n_turns * REPLY_TOKENS / now


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 95 // 100]


@pytest.mark.parametrize("n_chats", [8, 16])
def test_first_tokens_come_in_a_fifth_of_the_time_behind_a_lock(n_chats: int) -> None:
    chats = Chats(n_chats)
    chats.run()
    locked_first_s, locked_rate = behind_a_lock(n_chats)
    assert p95(chats.first_s) <= p95(locked_first_s) / 5
    assert chats.n_tokens / (chats.model.now - chats.began_s) >= 2 * locked_rate


def test_a_reply_that_is_ahead_waits_for_a_prompt_and_its_caller_hears_no_gap() -> None:
    chats = Chats(4)
    chats.run()
    assert p95(chats.first_s) < 1.2, "a question waits for no reply that is ahead of its being spoken"
    assert max(chats.gaps_s) <= 0.001


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("We open at eight in the morning, every day.", 2.9),
        (
            "\u6211\u4eec\u6bcf\u5929\u65e9\u4e0a\u516b\u70b9\u5f00\u95e8\u3002",
            2.3,
        ),  # Chinese: "we open at eight every morning"
        (
            "\u041c\u044b \u0440\u0430\u0431\u043e\u0442\u0430\u0435\u043c \u0434\u043e \u0448\u0435\u0441\u0442\u0438",
            1.3,
        ),  # Russian: "we work until six"
        ("", 0.0),
    ],
    ids=["en", "zh", "ru", "none"],
)
def test_how_long_a_text_is_spoken_goes_by_its_script(text: str, seconds: float) -> None:
    assert spoken_s(text) == pytest.approx(seconds, rel=0.05)


def test_a_reply_that_is_not_ahead_is_in_every_step() -> None:
    model = TimedModel(max_cells=10**6)
    options = ModelOptions(10**5, 8, 256, threads=1, gpu_layers=0, temperature=0)
    scheduler = Scheduler(model, options, None, StepPace({1: 0.4, 8: 1.0, 16: 1.6}, most_tokens=256))
    said: list[ReplyPart | TurnFailed | None] = []
    scheduler.add(Job("speaks", (Message(Role.CALLER, "q"),), 40, False, said.append))
    while not any(isinstance(part, TextMade) for part in said):
        scheduler.run_step(model.now)
    scheduler.add(Job("asks", (Message(Role.CALLER, "q" * 500),), 4, False, lambda _: None))
    n_before = len(said)
    for _ in range(5):  # each takes over a second, in which more is spoken than a token holds
        model.now += 1.0
        scheduler.run_step(model.now)
    assert len(said) - n_before == 5


def test_a_reply_that_is_far_ahead_still_gets_a_token_now_and_then() -> None:
    """A watcher of the reply's tokens would take a longer silence for an engine that hangs."""
    model = TimedModel(max_cells=10**6)
    options = ModelOptions(10**5, 40, 256, threads=1, gpu_layers=0, temperature=0)
    scheduler = Scheduler(model, options, None, StepPace(STEP_S, most_tokens=256))
    times: list[float] = []

    def give(part: ReplyPart | TurnFailed | None) -> None:
        if isinstance(part, TextMade):
            times.append(model.now)

    scheduler.add(Job("speaks", (Message(Role.CALLER, "q"),), 200, False, give))
    while len(times) < 100:
        scheduler.run_step(model.now)
    for number in range(8):
        scheduler.add(Job(f"asks-{number}", (Message(Role.CALLER, "q" * 300),), 4, False, lambda _: None))
    while scheduler.has_work:
        scheduler.run_step(model.now)
    gaps_s = [after - before for before, after in pairwise(times)]
    assert max(gaps_s) > 0.25, "it leaves its place"
    assert max(gaps_s) < 1.0


class WritesACall(ConstrainedCalls):
    """A reply that is one long call of a tool."""

    is_in_call = True

    def sample(self, model: SamplingModel, row: int) -> int:
        self.n_call_tokens += 1
        return model.sample(row)


def test_a_call_of_a_tool_is_no_speech_and_gives_no_place_away() -> None:
    model = TimedModel(max_cells=10**6)
    options = ModelOptions(10**5, 40, 256, threads=1, gpu_layers=0, temperature=0)
    scheduler = Scheduler(model, options, None, StepPace(STEP_S, most_tokens=256))
    times: list[float] = []

    def give(part: ReplyPart | TurnFailed | None) -> None:
        if isinstance(part, TextMade):
            times.append(model.now)

    call = WritesACall("", re.compile("x"))
    scheduler.add(Job("books", (Message(Role.CALLER, "q"),), 10, False, give, calls=call, max_call_tokens=60))
    while len(times) < 20:
        scheduler.run_step(model.now)
    for number in range(8):
        scheduler.add(Job(f"asks-{number}", (Message(Role.CALLER, "q" * 300),), 4, False, lambda _: None))
    n_before = len(times)
    for _ in range(10):
        scheduler.run_step(model.now)
    assert len(times) - n_before == 10, "its caller hears nothing until the tool has answered"


def test_a_short_question_goes_before_a_long_one_but_not_for_ever() -> None:
    model = TimedModel(max_cells=10**6)
    options = ModelOptions(10**5, 40, 64, threads=1, gpu_layers=0, temperature=0)
    scheduler = Scheduler(model, options, None)
    ended: list[str] = []

    def ask(name: str, n_letters: int) -> None:
        def give(part: ReplyPart | TurnFailed | None) -> None:
            if part is None:
                ended.append(name)

        scheduler.add(Job(name, (Message(Role.CALLER, "q" * n_letters),), 1, False, give))

    ask("long", 300)
    ask("short", 60)
    for number in range(100):
        ask(f"later-{number}", 60)
        scheduler.run_step(model.now)
    while scheduler.has_work:
        scheduler.run_step(model.now)
    assert ended.index("short") < ended.index("long")
    assert ended.index("long") < 30, "four times its own length may be read before it"
