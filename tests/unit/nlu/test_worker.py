"""The worker's thread, on a model of letters."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from queue import SimpleQueue

import pytest

from services.nlu.engine import Began, CutShort, Message, ReplyPart, ReplyRequest, Role, TextMade
from services.nlu.engines.llama_cpp.engine import LlamaCppEngine
from services.nlu.engines.llama_cpp.jobs import Job
from services.nlu.engines.llama_cpp.model import ModelOptions
from services.nlu.engines.llama_cpp.openings import KeptOpenings
from services.nlu.engines.llama_cpp.worker import ModelWorker
from services.nlu.settings import NluSettings
from services.runtime.errors import StartupError, TurnFailed
from tests.unit.nlu.fake_model import LetterModel

OPTIONS = ModelOptions(context_tokens=4000, n_slots=4, batch_tokens=64, threads=1, gpu_layers=0, temperature=0)
Part = ReplyPart | TurnFailed | None


class Client:
    """Submits jobs and waits for what comes of them."""

    def __init__(self, model: LetterModel, kept: KeptOpenings | None = None) -> None:
        self.model = model
        self.worker = ModelWorker(lambda: model, OPTIONS, kept)
        self.worker.start()

    def submit(self, conversation: str, *texts: str, max_tokens: int = 40) -> tuple[Job, SimpleQueue[Part]]:
        parts: SimpleQueue[Part] = SimpleQueue()
        roles = (Role.CALLER, Role.AGENT)
        messages = tuple(Message(roles[i % 2], text) for i, text in enumerate(texts))
        job = Job(conversation, messages, max_tokens, False, parts.put)
        self.worker.submit(job)
        return job, parts

    def ask(self, conversation: str, *texts: str, max_tokens: int = 40) -> str:
        _, parts = self.submit(conversation, *texts, max_tokens=max_tokens)
        return "".join(part.text for part in drain(parts) if isinstance(part, TextMade))


def drain(parts: SimpleQueue[Part]) -> Iterator[Part]:
    """Everything up to the end of the job, which is None or a failure."""
    while True:
        part = parts.get(timeout=10)
        yield part
        if part is None or isinstance(part, TurnFailed):
            return


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(LetterModel())
    yield client
    client.worker.stop()
    assert client.model.is_closed


def computed(model: LetterModel) -> int:
    return sum(len(rows) for rows in model.steps)


def test_a_reply_comes_letter_by_letter_and_ends(client: Client) -> None:
    _, parts = client.submit("a", "Do you?")
    received = list(drain(parts))
    assert received[0] == Began()
    assert received[-1] is None
    assert [part.text for part in received if isinstance(part, TextMade)] == list("Yes, we do.")


def test_the_next_turn_computes_only_what_is_new(client: Client) -> None:
    client.ask("a", "Do you open on Sunday?")
    before = computed(client.model)
    client.ask("a", "Do you open on Sunday?", "Yes, we do.", "Fine")
    assert computed(client.model) - before == len("</><user>Fine</><assistant>") + len("Yes, we do.")


def test_a_reply_heard_in_part_keeps_what_was_heard(client: Client) -> None:
    client.ask("a", "Do you open on Sunday?")
    before = computed(client.model)
    client.ask("a", "Do you open on Sunday?", "Yes, we", "Fine")
    assert computed(client.model) - before == len("</><user>Fine</><assistant>") + len("Yes, we do.")


def test_what_was_read_ahead_is_not_read_again(client: Client) -> None:
    _, parts = client.submit("a", "Hello", "Good morning", max_tokens=0)
    list(drain(parts))
    before = computed(client.model)
    client.ask("a", "Hello", "Good morning", "Hi")
    assert computed(client.model) - before == len("Hi</><assistant>") + len("Yes, we do.")


def test_an_opening_is_shared_by_all_conversations(client: Client) -> None:
    _, parts = client.submit("", "You are Linh, who answers", max_tokens=0)
    list(drain(parts))
    for conversation in ("a", "b"):
        before = computed(client.model)
        client.ask(conversation, "You are Linh, who answers", "Hello", "Hi")
        assert computed(client.model) - before < len("<assistant>Hello</><user>Hi</><assistant>") + len("Yes, we do.")


def test_several_replies_are_made_in_the_same_steps(client: Client) -> None:
    jobs = [client.submit(name, f"Question of {name}?")[1] for name in "abc"]
    for parts in jobs:
        assert "".join(part.text for part in drain(parts) if isinstance(part, TextMade)) == "Yes, we do."
    assert any(len({row.slot for row in rows}) > 1 for rows in client.model.steps)


def test_a_cancelled_job_ends_before_the_next_step(client: Client) -> None:
    client.model.answer = "x" * 1000
    job, parts = client.submit("a", "Do you?", max_tokens=1000)
    assert parts.get(timeout=10) == Began()
    job.is_cancelled = True
    assert list(drain(parts))[-1] is None
    assert client.ask("a", "And now?", max_tokens=3) == "xxx"


def test_a_reply_that_hits_its_bound_is_cut_short(client: Client) -> None:
    _, parts = client.submit("a", "Do you?", max_tokens=3)
    assert list(drain(parts))[-2] == CutShort()


def test_a_failed_step_fails_the_turn_and_the_next_one_works(client: Client) -> None:
    client.model.fails.append(True)
    _, parts = client.submit("a", "Do you?")
    failed = list(drain(parts))[-1]
    assert isinstance(failed, TurnFailed)
    assert (failed.reason, failed.is_retryable) == ("ENGINE_FAILED", True)
    assert client.ask("a", "Do you?") == "Yes, we do."


def test_a_full_cache_drops_a_conversation_that_is_not_awaited(client: Client) -> None:
    client.model.max_cells = 200
    for name in "abcdefgh":
        assert client.ask(name, f"A question of {name}, of some length, to fill it?") == "Yes, we do."


def test_a_cache_that_is_full_of_one_call_fails_its_turn(client: Client) -> None:
    client.model.max_cells = 20
    _, parts = client.submit("a", "A question that is longer than that?")
    failed = list(drain(parts))[-1]
    assert isinstance(failed, TurnFailed)
    assert (failed.reason, failed.is_retryable) == ("ENGINE_BUSY", True)


def test_a_prompt_beyond_the_context_fails_its_turn(client: Client) -> None:
    _, parts = client.submit("a", "x" * 5000)
    failed = list(drain(parts))[-1]
    assert isinstance(failed, TurnFailed)
    assert failed.reason == "HISTORY_TOO_LONG"


def test_more_calls_than_slots_wait_their_turn(client: Client) -> None:
    jobs = [client.submit(str(i), f"Question {i}?")[1] for i in range(10)]
    for parts in jobs:
        assert list(drain(parts))[-1] is None


def test_a_forgotten_conversation_ends(client: Client) -> None:
    client.model.answer = "x" * 1000
    _, parts = client.submit("a", "Do you?", max_tokens=1000)
    client.worker.forget("a")
    assert list(drain(parts))[-1] is None


def test_stopping_fails_what_is_under_way() -> None:
    client = Client(LetterModel("x" * 100_000))
    _, parts = client.submit("a", "Do you?", max_tokens=3000)
    client.worker.stop()
    failed = list(drain(parts))[-1]
    assert isinstance(failed, TurnFailed)
    assert failed.reason == "ENGINE_STOPPED"


def test_a_model_that_does_not_open_says_so() -> None:
    def broken() -> LetterModel:
        raise StartupError("no model there")

    with pytest.raises(StartupError, match="no model there"):
        ModelWorker(broken, OPTIONS, None).start()


def test_openings_are_kept_from_one_start_to_the_next(tmp_path: Path) -> None:
    model_file = tmp_path / "model.gguf"
    model_file.touch()
    saved: dict[Path, list[int]] = {}
    steps = []
    for _ in range(2):
        model = LetterModel()
        model.saved = saved
        client = Client(model, KeptOpenings(tmp_path / "kept", model_file))
        list(drain(client.submit("", "You are Linh.", max_tokens=0)[1]))
        steps.append(computed(model))
        assert client.ask("a", "You are Linh.", "Hello", "Hi") == "Yes, we do."
        client.worker.stop()
    assert steps[0] > 1
    assert steps[1] == 1


def test_a_broken_model_ends_the_thread_and_fails_every_job_at_once() -> None:
    client = Client(LetterModel())
    client.model.fails.extend([True] * 100)
    for i in range(20):
        failed = list(drain(client.submit(str(i), "Do you?")[1]))[-1]
        assert isinstance(failed, TurnFailed)
        assert failed.reason == "ENGINE_FAILED"
    client.worker._thread.join(timeout=10)
    assert not client.worker._thread.is_alive()
    assert client.model.is_closed
    client.worker.stop()


class TakenJobs:
    """Stands where the worker does and keeps the jobs it is given."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)


def test_the_job_of_a_draft_is_a_turns_once_it_is_committed() -> None:
    asyncio.run(_commit_a_draft())


async def _commit_a_draft() -> None:
    engine, taken = LlamaCppEngine(NluSettings(_env_file=None)), TakenJobs()
    engine._worker = taken  # type: ignore[assignment] # the place of the thread that owns the model
    request = ReplyRequest("call", 7, (Message(Role.CALLER, "Hello."),), "en", is_draft=True)
    async with aclosing(engine.reply(request)) as reply:
        first = asyncio.ensure_future(anext(reply))
        await asyncio.sleep(0)
        [job] = taken.jobs
        await engine.commit("call", 6)
        assert job.is_draft
        await engine.commit("call", 7)
        assert not job.is_draft
        job.give(Began())
        assert await first == Began()
