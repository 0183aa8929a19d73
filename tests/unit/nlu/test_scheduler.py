"""The scheduler on a model of letters: who has cells and steps, what a fault ends, and whose words a reply holds."""

import gc
import re
from collections import deque
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.nlu.engine import Began, Message, ReplyPart, Role, TextMade
from services.nlu.engines.llama_cpp.decoding import ModelBroken
from services.nlu.engines.llama_cpp.jobs import Job
from services.nlu.engines.llama_cpp.model import DecodeFailed, ModelOptions, Row
from services.nlu.engines.llama_cpp.openings import check_openings
from services.nlu.engines.llama_cpp.scheduler import Scheduler
from services.runtime.errors import StartupError, TurnFailed
from tests.unit.nlu.fake_model import LetterModel

MOST_STEPS = 20_000


class Asked:
    """A job and what came of it."""

    def __init__(self, job: Job, received: list[ReplyPart | TurnFailed | None]) -> None:
        self.job, self.received = job, received

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.received if isinstance(part, TextMade))

    @property
    def is_over(self) -> bool:
        return bool(self.received) and (self.received[-1] is None or isinstance(self.received[-1], TurnFailed))

    @property
    def failure(self) -> TurnFailed | None:
        last = self.received[-1]
        return last if isinstance(last, TurnFailed) else None


class Rig:
    """A scheduler whose cache is as large as its options say."""

    def __init__(self, model: LetterModel | None = None, *, cells: int = 4000, slots: int = 8, batch: int = 64) -> None:
        self.model = model or LetterModel()
        self.model.max_cells = cells
        self.options = ModelOptions(cells, slots, batch, threads=1, gpu_layers=0, temperature=0)
        self.scheduler = Scheduler(self.model, self.options, None)

    def ask(self, conversation: str, *texts: str, max_tokens: int = 40, is_draft: bool = False) -> Asked:
        roles = (Role.CALLER, Role.AGENT)
        messages = tuple(Message(roles[i % 2], text) for i, text in enumerate(texts))
        received: list[ReplyPart | TurnFailed | None] = []
        job = Job(conversation, messages, max_tokens, is_draft, received.append)
        self.scheduler.add(job)
        return Asked(job, received)

    def run(self) -> None:
        """Every job to its end."""
        for _ in range(MOST_STEPS):
            if not self.scheduler.has_work:
                return
            self.scheduler.run_step()
        pytest.fail("the scheduler spins")


def test_an_answer_that_comes_over_finds_its_question_read() -> None:
    rig = Rig()
    asked = (Message(Role.SYSTEM, "s" * 50), Message(Role.CALLER, "q" * 200))
    rig.scheduler.add(Job("a", asked, 0, True, lambda _: None))
    rig.run()
    received: list[ReplyPart | TurnFailed | None] = []
    n_before = len(rig.model.steps)
    rig.scheduler.add(Job("a", asked, 40, False, received.append, begun="Yes,"))
    rig.run()
    n_read = len(rig.model.steps[n_before])
    assert n_read <= len("Yes,") + 1, "the question, and where the answer begins, were read before"
    assert "".join(part.text for part in received if isinstance(part, TextMade)) == " we do."


def test_of_readings_ahead_that_wait_the_last_one_is_read() -> None:
    rig = Rig(slots=1)
    turn = rig.ask("b", "Hello?")
    rig.scheduler.run_step()
    earlier, *_, last = (rig.ask("a", "q" * n, max_tokens=0) for n in (20, 30, 40))
    assert earlier.is_over, "one wait for each conversation is enough, however long the others speak"
    assert not last.is_over
    rig.run()
    assert turn.text
    n_before = len(rig.model.steps)
    rig.ask("a", "q" * 40)
    rig.run()
    assert len(rig.model.steps[n_before]) == 1, "the whole question was read before"


# A fault of one job ends that job


def test_half_a_character_is_left_out_and_the_reply_goes_on() -> None:
    class HalfCharacters(LetterModel):
        def piece(self, token: int) -> bytes:
            return b"\xe1\xba" if chr(token) == "s" else super().piece(token)

    rig = Rig(HalfCharacters("Yes, we do."))
    asked = rig.ask("a", "Do you?")
    rig.run()
    assert asked.text == "Ye, we do."
    assert asked.failure is None


def test_a_prompt_that_cannot_be_rendered_ends_its_own_job() -> None:
    class PickyTemplate(LetterModel):
        def tokenize(self, text: str, *, is_template: bool) -> list[int]:
            if "\ud800" in text:
                raise UnicodeEncodeError("utf-8", text, 0, 1, "surrogates not allowed")
            return super().tokenize(text, is_template=is_template)

    rig = Rig(PickyTemplate())
    broken, sound = rig.ask("a", "\ud800"), rig.ask("b", "Do you?")
    rig.run()
    assert broken.failure is not None
    assert broken.failure.reason == "ENGINE_FAILED"
    assert sound.text == "Yes, we do."


def test_a_job_whose_end_cannot_be_reported_ends_alone() -> None:
    rig = Rig()

    def closed(part: object) -> None:
        raise RuntimeError("Event loop is closed")

    rig.scheduler.add(Job("a", (Message(Role.CALLER, "Hi"),), 40, False, closed))
    sound = rig.ask("b", "Do you?")
    rig.run()
    assert sound.text == "Yes, we do."


def test_a_fault_in_sampling_ends_its_own_job() -> None:
    class OneBadRow(LetterModel):
        def sample(self, row: int) -> int:
            last = self.steps[-1][row]
            if "bad" in "".join(map(chr, self.cells[last.slot])):
                raise IndexError(row)
            return super().sample(row)

    rig = Rig(OneBadRow())
    bad, sound = rig.ask("a", "bad"), rig.ask("b", "Do you?")
    rig.run()
    assert bad.failure is not None
    assert sound.text == "Yes, we do."


def test_what_a_failed_step_left_in_the_cache_is_not_used_again() -> None:
    class HalfDone(LetterModel):
        def decode(self, rows: Sequence[Row]) -> bool:
            if self.fails and self.fails.popleft():
                for row in rows[: len(rows) // 2]:
                    super().decode([row])
                raise DecodeFailed("llama_decode returned -3")
            return super().decode(rows)

    rig = Rig(HalfDone())
    rig.model.fails.append(True)
    failed = rig.ask("a", "Do you?")
    rig.run()
    again = rig.ask("a", "Do you?")
    rig.run()
    assert failed.failure is not None
    assert again.text == "Yes, we do."


def test_a_model_that_fails_every_step_is_given_up() -> None:
    rig = Rig(slots=1)
    rig.model.fails = deque([True] * 100)
    for i in range(100):
        rig.ask(str(i), "Do you?")
    with pytest.raises(ModelBroken):
        rig.run()


# Openings


def test_openings_that_take_every_slot_are_refused_at_start() -> None:
    rig = Rig(slots=4)
    openings = [(Message(Role.SYSTEM, f"You are {name}."),) for name in ("An", "Binh", "Chi")]
    with pytest.raises(StartupError, match=r"NLU_SLOTS=4: 3 slots .* set at least 5"):
        check_openings(rig.model, rig.options, openings, max_reply_tokens=40)


def test_openings_that_take_every_cell_are_refused_at_start() -> None:
    rig = Rig(cells=1000)
    openings = [(Message(Role.SYSTEM, "x" * 400),), (Message(Role.SYSTEM, "y" * 400),)]
    with pytest.raises(StartupError, match=r"NLU_CONTEXT_TOKENS=1000: .* take 8\d\d tokens .* set at least 1\d\d\d"):
        check_openings(rig.model, rig.options, openings, max_reply_tokens=40)


@pytest.mark.parametrize(("chars", "is_told"), [(1500, False), (3000, True)])
def test_a_history_that_would_not_fit_beside_the_openings_is_told_at_start(chars: int, is_told: bool) -> None:
    rig = Rig(cells=2000)
    openings = [(Message(Role.SYSTEM, "x" * 400),)]
    with capture_logs() as logs:
        check_openings(rig.model, rig.options, openings, max_reply_tokens=40, max_prompt_chars=chars)
    assert [entry["event"] for entry in logs] == ["history_may_outgrow_context"] * is_told
    assert all("NLU_CONTEXT_TOKENS to 3" in entry["remedy"] for entry in logs)


def test_a_failed_opening_holds_no_cells() -> None:
    rig = Rig(cells=300, slots=4)
    for _ in range(6):
        rig.model.fails.append(True)
        rig.ask("", "You are Linh, who answers the telephone of a dental clinic", max_tokens=0)
        rig.run()
    asked = rig.ask("a", "A question that needs most of the cache" + "." * 100)
    rig.run()
    assert asked.text == "Yes, we do."


def test_jobs_that_can_never_run_are_refused_and_nothing_spins() -> None:
    rig = Rig(slots=2)
    for name in ("An", "Binh"):
        rig.ask("", f"You are {name}.", max_tokens=0)
        rig.run()
    asked = rig.ask("a", "Hello")
    rig.run()
    assert asked.failure is not None
    assert asked.failure.reason == "ENGINE_BUSY"


def test_an_opening_put_off_by_a_turn_is_read_later() -> None:
    rig = Rig(cells=400)
    opening = rig.ask("", "x" * 200, max_tokens=0)
    rig.scheduler.run_step()
    turn = rig.ask("a", "y" * 250)
    rig.run()
    assert turn.text == "Yes, we do."
    assert opening.received[-1] is None
    assert rig.scheduler._slots.n_pinned_tokens > 200


# A full cache


def test_a_committed_turn_goes_before_an_older_draft_and_the_draft_loses_nothing() -> None:
    rig = Rig(LetterModel("Yes, we do, every day of the week."), cells=150)
    draft = rig.ask("a", "A question of some length" + "?" * 20, is_draft=True)
    while len(draft.text) < 5:
        rig.scheduler.run_step()
    turn = rig.ask("b", "Another one of some length" + "?" * 20)
    while not turn.is_over:
        rig.scheduler.run_step()
    assert not draft.is_over
    rig.run()
    assert turn.text == draft.text == "Yes, we do, every day of the week."
    assert draft.received.count(Began()) == 1


def test_reading_ahead_is_given_up_before_a_draft() -> None:
    rig = Rig(LetterModel("Yes." * 9), cells=250)
    draft = rig.ask("a", "x" * 60, is_draft=True)
    while not draft.text:
        rig.scheduler.run_step()
    ahead = rig.ask("b", "y" * 100, max_tokens=0)
    rig.scheduler.run_step()
    before = len(draft.text)
    turn = rig.ask("c", "z" * 60)
    rig.scheduler.run_step()
    assert ahead.is_over
    assert len(draft.text) > before
    rig.run()
    assert turn.text == draft.text == "Yes." * 9


def test_a_committed_turns_prompt_is_read_first() -> None:
    rig = Rig()
    draft, turn = rig.ask("a", "d" * 100, is_draft=True), rig.ask("b", "t" * 300)
    while not turn.text:
        rig.scheduler.run_step()
    assert not draft.text


def test_a_commit_raises_a_draft_that_waits() -> None:
    rig = Rig(slots=1)
    first = rig.ask("a", "Hello?")
    rig.scheduler.run_step()
    drafts = [rig.ask(name, f"{name}, hello?", is_draft=True) for name in "bcd"]
    drafts[2].job.is_draft = False
    while not drafts[2].is_over:
        rig.scheduler.run_step()
    assert first.is_over
    assert [draft.is_over for draft in drafts] == [False, False, True]
    rig.run()


def test_twelve_calls_of_fifteen_turns_lose_none_in_a_cache_that_holds_four_of_them() -> None:
    rig = Rig(LetterModel("Yes, we do, on every day."), cells=5000, slots=48, batch=512)
    rig.ask("", "You are Linh" + "." * 300, max_tokens=0)
    rig.run()
    said: dict[str, list[str]] = {f"call-{i}": ["You are Linh" + "." * 300, "Hello."] for i in range(12)}
    for turn in range(15):
        asked = {}
        for call, texts in said.items():
            texts.append(f"Question {turn} of {call}, and some more words?")
            rig.ask(call, *texts, is_draft=True)
            asked[call] = rig.ask(call, *texts)
        rig.run()
        for call, reply in asked.items():
            assert reply.text == "Yes, we do, on every day."
            said[call].append(reply.text)


def test_a_step_never_holds_more_tokens_than_a_batch() -> None:
    rig = Rig(slots=40, batch=8)
    asked = [rig.ask(str(i), "Hi?") for i in range(30)]
    rig.run()
    assert max(len(rows) for rows in rig.model.steps) <= 8
    assert {reply.text for reply in asked} == {"Yes, we do."}


# No words of another call

SECRET = re.compile(r"secret\d{3}")


class Indiscreet(LetterModel):
    """Answers with every secret word in its cells: what leaks into a slot is said."""

    def sample(self, row: int) -> int:
        text = "".join(map(chr, self.cells[self.steps[-1][row].slot]))
        told, _, said = text.rpartition("<assistant>")
        answer = "I know " + ",".join(sorted(set(SECRET.findall(told))))
        return ord(answer[len(said)]) if len(said) < len(answer) else 0


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(900, 4000), st.integers(4, 48))
def test_two_hundred_interleaved_calls_never_show_anothers_words(seed: int, cells: int, slots: int) -> None:
    random = Random(seed)
    rig = Rig(Indiscreet(), cells=cells, slots=slots, batch=64)
    opening = "You are Linh, who answers the telephone."
    rig.ask("", opening, max_tokens=0)
    history = {f"{i:03}": [opening, "Hello."] for i in range(200)}
    asked: list[tuple[str, Asked]] = []
    failed_at = -1  # a step between two that fail, or the model would be given up
    for _ in range(400):
        call = random.choice(sorted(history))
        texts = [*history[call], f"I am secret{call}."]
        match random.choice(("turn", "turn", "draft", "ahead", "forget", "cancel", "fault")):
            case "turn":
                asked.append((call, rig.ask(call, *texts)))
                history[call] = [*texts, f"I know secret{call}"][:8]
            case "draft":
                draft = rig.ask(call, *texts, is_draft=True)
                draft.job.is_draft = random.choice((True, False))
                asked.append((call, draft))
            case "ahead":
                rig.ask(call, *history[call], max_tokens=0)
            case "forget":
                rig.scheduler.forget(call)
            case "cancel" if asked:
                asked[-1][1].job.is_cancelled = True
            case "fault" if len(rig.model.steps) > failed_at:
                failed_at = len(rig.model.steps)
                rig.model.fails.append(True)
        for _ in range(random.choice((0, 1, 3, 9))):
            if rig.scheduler.has_work:
                rig.scheduler.run_step()
    rig.run()
    for call, reply in asked:
        assert reply.is_over
        assert set(SECRET.findall(reply.text)) <= {f"secret{call}"}
    assert any(reply.text == f"I know secret{call}" for call, reply in asked)


class Forgetful(LetterModel):
    """Keeps no steps but the last, so that only the scheduler could grow."""

    def decode(self, rows: Sequence[Row]) -> bool:
        self.steps.clear()
        return super().decode(rows)


def test_ten_thousand_calls_leave_nothing_behind_and_each_turn_ends_once() -> None:
    rig = Rig(Forgetful("Y"), cells=600, slots=8)
    random = Random(7)
    held: list[int] = []
    for number in range(10_000):
        call = f"call-{number}"
        asked = rig.ask(call, "Hi", max_tokens=4, is_draft=random.random() < 0.3)
        if random.random() < 0.2:
            rig.scheduler.run_step()
            asked.job.is_cancelled = True
        rig.run()
        rig.scheduler.forget(call)
        ends = [part for part in asked.received if part is None or isinstance(part, TurnFailed)]
        assert len(ends) == 1
        if number % 1000 == 999:
            gc.collect()
            held.append(len(gc.get_objects()))
    assert not any(rig.model.cells.values()), "every cell is free"
    assert held[-1] - held[0] < 200, "memory is flat"
