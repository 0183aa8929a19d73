"""A device under its calls: batches, bad clauses, want of memory, and its loss."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from services.audio.pcm import Samples
from services.runtime.errors import EngineFailed
from services.tts.nemo.device import Device, DeviceLost, Mel, OutOfMemory, Text
from services.tts.nemo.plan import Window


class NoMemory(Exception):
    """Error of a device whose memory is full."""


class FakeNetworks:
    """Ten frames a token; fails as it is told to."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fits = 99
        self.is_lost = False

    def spectra(self, texts: Sequence[Text]) -> list[Mel]:
        self._begin(len(texts))
        if any(13 in text.tokens for text in texts):
            raise ValueError("a clause that breaks the network")
        return [Mel(None, 10 * len(text.tokens), np.full(len(text.tokens), 10, dtype=np.int64)) for text in texts]

    def vocode(self, parts: Sequence[tuple[Mel, Window]]) -> list[Samples]:
        self._begin(len(parts))
        return [np.arange(window.begin, window.end, dtype=np.int16) for _, window in parts]

    def is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, NoMemory)

    def probe(self) -> None:
        if self.is_lost:
            raise RuntimeError("CUDA error: unspecified launch failure")

    def _begin(self, n: int) -> None:
        self.gate.wait(5)
        self.batches.append(n)
        if self.is_lost:
            raise RuntimeError("CUDA error: unspecified launch failure")
        if n > self.fits:
            raise NoMemory


class Rig:
    """A device and what it says when it is lost."""

    def __init__(self) -> None:
        self.networks = FakeNetworks()
        self.lost: list[str] = []
        self.device = Device("fake", self.networks, max_batch=8, gather_s=0.02, on_lost=self._on_lost)

    def _on_lost(self, device: Device, why: str) -> bool:
        self.lost.append(why)
        return True

    async def ask(self, *clauses: Text) -> list[object]:
        asking = [self.device.spectrum(text, bucket=0, due_s=0.0) for text in clauses]
        return list(await asyncio.gather(*asking, return_exceptions=True))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    made.networks.gate.set()
    made.device.close()


def text(*tokens: int) -> Text:
    return Text("en", tokens)


async def test_texts_that_arrive_together_share_a_batch(rig: Rig) -> None:
    made = await rig.ask(text(1), text(2, 3), text(4))
    assert rig.networks.batches == [3]
    assert [one.result.n_frames for one in made] == [10, 20, 10]  # type: ignore[attr-defined]


async def test_chunks_of_one_length_share_a_batch_and_others_do_not(rig: Rig) -> None:
    rig.networks.gate.clear()
    first = asyncio.create_task(rig.device.vocode(Mel(None, 9, np.zeros(1)), Window(0, 5, 0, 5), due_s=0.0))
    await asyncio.sleep(0.05)
    mel = Mel(None, 90, np.zeros(1))
    more = [asyncio.create_task(rig.device.vocode(mel, Window(0, 30, 0, 20), due_s=1.0)) for _ in range(3)]
    more.append(asyncio.create_task(rig.device.vocode(mel, Window(10, 60, 30, 40), due_s=2.0)))
    await asyncio.sleep(0.05)
    rig.networks.gate.set()
    made = await asyncio.gather(first, *more)
    assert rig.networks.batches == [1, 3, 1]
    assert [len(one.result) for one in made] == [5, 20, 20, 20, 10]


async def test_one_clause_that_breaks_the_network_ends_no_other(rig: Rig) -> None:
    good, bad, also_good = await rig.ask(text(1), text(13), text(2))
    assert isinstance(bad, EngineFailed)
    assert not isinstance(good, Exception)
    assert not isinstance(also_good, Exception)
    assert not rig.lost


async def test_a_batch_that_does_not_fit_is_halved_and_later_ones_are_no_larger(rig: Rig) -> None:
    rig.networks.fits = 2
    made = await rig.ask(*(text(number) for number in range(1, 9)))
    assert not [one for one in made if isinstance(one, Exception)]
    assert rig.networks.batches == [8, 4, 2, 2, 4, 2, 2]
    assert rig.device.max_batch == 2


async def test_a_clause_that_does_not_fit_alone_is_tried_once_more_and_fails_by_its_name(rig: Rig) -> None:
    rig.networks.fits = 0
    (failed,) = await rig.ask(text(1))
    assert isinstance(failed, OutOfMemory)
    assert rig.networks.batches == [1, 1]
    rig.networks.fits = 9
    (made,) = await rig.ask(text(1))
    assert not isinstance(made, Exception)


async def test_a_device_that_errs_is_lost_with_all_that_waits_and_takes_nothing_more(rig: Rig) -> None:
    rig.networks.gate.clear()
    waiting = asyncio.create_task(rig.ask(*(text(number) for number in range(1, 12))))
    await asyncio.sleep(0.05)
    rig.networks.is_lost = True
    rig.networks.gate.set()
    assert all(isinstance(one, DeviceLost) for one in await waiting)
    assert len(rig.lost) == 1
    with pytest.raises(DeviceLost):
        await rig.device.spectrum(text(1), bucket=0, due_s=0.0)


async def test_a_step_whose_asker_is_gone_is_not_made(rig: Rig) -> None:
    rig.networks.gate.clear()
    first = asyncio.create_task(rig.ask(text(1)))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(rig.ask(text(2)))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.sleep(0)
    rig.networks.gate.set()
    await first
    await rig.ask(text(3))
    assert rig.networks.batches == [1, 1]
