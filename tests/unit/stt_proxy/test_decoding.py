import asyncio
from threading import Event

import pytest
from structlog.testing import capture_logs

from services.runtime.metrics import StageMetrics
from services.stt_proxy.decoding import Batchable, DecodingPool, Done, Job, Purpose, Refused, Stopped


class Workshop:
    """A pool with jobs that run until they are let go."""

    def __init__(self, n_workers: int = 1, limit_ms: int = 10_000, batch_size: int = 1) -> None:
        self.pool = DecodingPool[str](
            n_workers=n_workers, draft_queue_limit_ms=limit_ms, metrics=StageMetrics("stt"), batch_size=batch_size
        )
        self.batches: list[list[str]] = []
        self.began: list[str] = []
        self.stopped: list[str] = []
        self.outcomes: dict[str, Done[str] | Refused] = {}
        self.order: list[str] = []
        self._gates: dict[str, Event] = {}
        self._changed = asyncio.Event()

    def submit(
        self,
        name: str,
        *,
        owner: str,
        purpose: Purpose = Purpose.DRAFT,
        fails: bool = False,
        breaks: bool = False,
        kind: str = "",
    ) -> Job[str]:
        gate = self._gates[name] = Event()
        loop = asyncio.get_running_loop()

        def work(stop: Event) -> str:
            loop.call_soon_threadsafe(self._begin, name)
            gate.wait(10)
            if stop.is_set():
                loop.call_soon_threadsafe(self._note_stop, name)
                raise Stopped
            if fails:
                raise RuntimeError("out of memory")
            return name

        def done(outcome: Done[str] | Refused) -> None:
            self._end(name, outcome)
            if breaks:
                raise ValueError("the call broke over its text")

        def together(names: list[str]) -> list[str]:
            if "spoilt" in names:
                raise RuntimeError("one of them cannot be decoded")
            self.batches.append(names)
            return [f"{name} beside others" for name in names]

        batchable = Batchable(kind, name, together) if kind else None
        return self.pool.submit(owner, purpose, work, done, batchable=batchable)

    def let_go(self, name: str) -> None:
        self._gates[name].set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _begin(self, name: str) -> None:
        self.began.append(name)
        self._changed.set()

    def _note_stop(self, name: str) -> None:
        self.stopped.append(name)
        self._changed.set()

    def _end(self, name: str, outcome: Done[str] | Refused) -> None:
        self.outcomes[name] = outcome
        self.order.append(name)
        self._changed.set()


@pytest.fixture
def workshops():
    made: list[Workshop] = []

    def make(**options: int) -> Workshop:
        made.append(Workshop(**options))
        return made[-1]

    yield make
    for workshop in made:
        for gate in workshop._gates.values():
            gate.set()
        workshop.pool.close()


def refusal(workshop: Workshop, name: str) -> str:
    outcome = workshop.outcomes[name]
    assert isinstance(outcome, Refused)
    return outcome.reason


async def test_a_job_is_done_and_its_cost_known(workshops):
    shop = workshops()
    shop.submit("a", owner="one")
    shop.let_go("a")
    await shop.until(lambda: "a" in shop.outcomes)
    assert isinstance(shop.outcomes["a"], Done)
    assert shop.outcomes["a"].value == "a"


async def test_what_is_owed_goes_before_drafts(workshops):
    shop = workshops()
    shop.submit("running", owner="one")
    shop.submit("draft", owner="two")
    shop.submit("owed", owner="three", purpose=Purpose.SETTLED)
    for name in ("running", "draft", "owed"):
        shop.let_go(name)
    await shop.until(lambda: len(shop.order) == 3)
    assert shop.order == ["running", "owed", "draft"]


async def test_one_job_a_call(workshops):
    shop = workshops(n_workers=2)
    shop.submit("first", owner="one", purpose=Purpose.SETTLED)
    shop.submit("second", owner="one", purpose=Purpose.SETTLED)
    shop.submit("other", owner="two", purpose=Purpose.SETTLED)
    await shop.until(lambda: len(shop.began) == 2)
    assert set(shop.began) == {"first", "other"}


async def test_a_draft_that_would_wait_too_long_is_refused_at_once(workshops):
    shop = workshops(limit_ms=100)
    shop.submit("running", owner="one")
    shop.submit("draft", owner="two")
    assert refusal(shop, "draft") == "DRAFT_LATE"


async def test_what_is_owed_waits_as_long_as_it_must(workshops):
    shop = workshops(limit_ms=0)
    shop.submit("running", owner="one", purpose=Purpose.SETTLED)
    shop.submit("owed", owner="two", purpose=Purpose.SETTLED)
    shop.let_go("running")
    shop.let_go("owed")
    await shop.until(lambda: "owed" in shop.outcomes)
    assert isinstance(shop.outcomes["owed"], Done)


async def test_a_newer_draft_of_the_same_call_takes_the_place_of_one_that_waits(workshops):
    shop = workshops()
    shop.submit("running", owner="one")
    shop.submit("older", owner="two")
    shop.submit("newer", owner="two")
    assert refusal(shop, "older") == "SUPERSEDED"
    assert "newer" not in shop.outcomes


async def test_a_failure_is_an_outcome_and_the_pool_goes_on(workshops):
    shop = workshops()
    shop.submit("bad", owner="one", fails=True)
    shop.submit("good", owner="two", purpose=Purpose.SETTLED)
    shop.let_go("bad")
    shop.let_go("good")
    await shop.until(lambda: len(shop.outcomes) == 2)
    assert refusal(shop, "bad") == "DECODING_FAILED"
    assert isinstance(shop.outcomes["good"], Done)


async def test_who_leaves_is_not_waited_for(workshops):
    shop = workshops()
    shop.submit("running", owner="one")
    shop.submit("gone", owner="two", purpose=Purpose.SETTLED)
    shop.pool.leave("two")
    shop.submit("next", owner="three", purpose=Purpose.SETTLED)
    for name in ("running", "gone", "next"):
        shop.let_go(name)
    await shop.until(lambda: "next" in shop.outcomes)
    assert "gone" not in shop.began
    assert not shop.pool.is_busy_for("two")


async def test_a_draft_waits_for_the_own_decode_that_is_about_to_end(workshops):
    shop = workshops(n_workers=2, limit_ms=100)
    shop.submit("settled", owner="one", purpose=Purpose.SETTLED)
    await asyncio.sleep(0.24)  # of the 0.25 s that a decode is expected to take
    shop.submit("draft", owner="one")
    shop.let_go("settled")
    shop.let_go("draft")
    await shop.until(lambda: "draft" in shop.outcomes)
    assert isinstance(shop.outcomes["draft"], Done)


async def test_newer_speech_does_not_wait_behind_its_own_older_draft(workshops):
    shop = workshops(n_workers=2)
    shop.submit("stale", owner="one")
    await shop.until(lambda: "stale" in shop.began)
    shop.submit("owed", owner="one", purpose=Purpose.SETTLED)
    assert refusal(shop, "stale") == "SUPERSEDED"
    shop.let_go("owed")
    await shop.until(lambda: "owed" in shop.outcomes)
    assert shop.order == ["stale", "owed"]
    shop.let_go("stale")
    shop.submit("next", owner="one")
    shop.let_go("next")
    await shop.until(lambda: "next" in shop.outcomes and "stale" in shop.stopped)


async def test_a_cancelled_job_is_not_decoded_nor_answered(workshops):
    shop = workshops()
    running = shop.submit("running", owner="one", purpose=Purpose.SETTLED)
    waiting = shop.submit("waiting", owner="two", purpose=Purpose.SETTLED)
    await shop.until(lambda: "running" in shop.began)
    shop.pool.cancel(running)
    shop.pool.cancel(waiting)
    shop.let_go("running")
    shop.submit("next", owner="one", purpose=Purpose.SETTLED)
    shop.let_go("next")
    await shop.until(lambda: "next" in shop.outcomes)
    assert shop.stopped == ["running"]
    assert "waiting" not in shop.began
    assert shop.order == ["next"]


async def test_a_call_that_breaks_over_its_text_does_not_stall_the_pool(workshops):
    shop = workshops()
    shop.submit("bad", owner="one", purpose=Purpose.SETTLED, breaks=True)
    shop.submit("good", owner="two", purpose=Purpose.SETTLED)
    shop.let_go("bad")
    shop.let_go("good")
    await shop.until(lambda: "good" in shop.outcomes)
    shop.submit("refused", owner="one", purpose=Purpose.DRAFT, breaks=True)
    shop.submit("newer", owner="one", purpose=Purpose.SETTLED)
    shop.let_go("refused")
    shop.let_go("newer")
    await shop.until(lambda: "newer" in shop.outcomes)


async def test_a_waiting_draft_is_refused_at_its_limit(workshops):
    shop = workshops(limit_ms=300)
    shop.submit("long", owner="one", purpose=Purpose.SETTLED)
    shop.submit("draft", owner="two")
    await shop.until(lambda: "draft" in shop.outcomes)
    assert refusal(shop, "draft") == "DRAFT_LATE"
    assert "long" not in shop.outcomes


async def test_work_ahead_gives_way_to_drafts(workshops):
    shop = workshops()
    shop.submit("running", owner="one", purpose=Purpose.SETTLED)
    shop.submit("ahead", owner="two", purpose=Purpose.AHEAD)
    shop.submit("draft", owner="three")
    for name in ("running", "ahead", "draft"):
        shop.let_go(name)
    await shop.until(lambda: len(shop.order) == 3)
    assert shop.order == ["running", "draft", "ahead"]


async def test_the_cost_of_work_for_owners_that_never_leave_is_forgotten(workshops):
    shop = workshops()
    for number in range(3000):
        shop.pool._spend(("detect", number), 0.15)
    assert len(shop.pool._spent_s) < 1000


async def test_what_waits_and_is_alike_is_done_in_one_go(workshops):
    shop = workshops(batch_size=3)
    shop.submit("running", owner="zero", kind="short")
    for number, kind in enumerate(["short", "long", "short", "short", "short"]):
        shop.submit(f"{number}", owner=f"call {number}", kind=kind)
    for name in ("running", "1", "4"):
        shop.let_go(name)
    await shop.until(lambda: len(shop.outcomes) == 6)
    assert shop.batches == [["0", "2", "3"]]
    values = {name: outcome.value for name, outcome in shop.outcomes.items() if isinstance(outcome, Done)}
    assert values["2"] == "2 beside others"
    assert (values["1"], values["4"]) == ("1", "4"), "a job without others of its kind is done alone"


async def test_a_batch_holds_one_job_a_call_and_one_purpose(workshops):
    shop = workshops(batch_size=4)
    shop.submit("running", owner="zero")
    for name, owner in (("first", "one"), ("second", "one"), ("other", "two")):
        shop.submit(name, owner=owner, purpose=Purpose.SETTLED, kind="short")
    shop.submit("draft", owner="three", kind="short")
    for name in ("running", "second", "draft"):
        shop.let_go(name)
    await shop.until(lambda: len(shop.outcomes) == 5)
    assert shop.batches == [["first", "other"]]


async def test_a_bad_job_spoils_no_other_of_its_batch(workshops):
    shop = workshops(batch_size=3)
    shop.submit("running", owner="zero")
    shop.submit("spoilt", owner="one", kind="short", fails=True)
    shop.submit("good", owner="two", kind="short")
    for name in ("running", "spoilt", "good"):
        shop.let_go(name)
    with capture_logs() as logs:
        await shop.until(lambda: len(shop.outcomes) == 3)
    assert [(line["event"], line["n_jobs"]) for line in logs] == [("batch_failed", 2)]
    assert refusal(shop, "spoilt") == "DECODING_FAILED"
    assert isinstance(shop.outcomes["good"], Done)
    assert shop.outcomes["good"].value == "good"


async def test_a_batch_takes_one_worker(workshops):
    shop = workshops(n_workers=2, batch_size=3)
    for name in ("a", "b"):
        shop.submit(name, owner=name)
    for number in range(3):
        shop.submit(f"{number}", owner=f"call {number}", kind="short")
    shop.submit("beside", owner="beside")
    shop.let_go("a")
    await shop.until(lambda: "beside" in shop.began)
    assert shop.batches == [["0", "1", "2"]]
    for name in ("b", "beside"):
        shop.let_go(name)
    await shop.until(lambda: len(shop.outcomes) == 6)
    assert shop.pool.has_idle_worker
