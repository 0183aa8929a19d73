"""Utterances and requests of a call, in order, for an engine that takes over from another one."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.stt_proxy.engine import EngineCall, Heard, Speech, Unheard

REMEMBERED_UTTERANCES = 8


@dataclass(slots=True)
class RoutedUtterance:
    """An utterance, as another engine has to be told of it."""

    not_before: int  # where the utterance before it ended
    onset: int
    paused_at: int | None = None  # where the speech last ended; None: it goes on
    end_sample: int | None = None
    forgotten: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class RoutedAsk:
    """A Speech whose words are awaited, and the answer where it is held back."""

    speech: Speech
    is_final: bool
    waits_for_language: bool
    answer: Heard | Unheard | None = None
    limit: asyncio.TimerHandle | None = None


class RoutedUtterances:
    """The utterances of one call, as far as an engine that takes over may need them."""

    def __init__(self) -> None:
        self._known: dict[int, RoutedUtterance] = {}
        self.last_end = 0  # where the utterance that was ended last ended

    def edge(self, utterance_id: int, sample: int, *, is_begin: bool) -> bool:
        """An edge of speech. True: an utterance has begun."""
        known = self._known.get(utterance_id)
        if known is not None:
            known.paused_at = None if is_begin else sample
            return False
        if is_begin:
            self.begin(utterance_id, sample)
        return is_begin

    def begin(self, utterance_id: int, onset: int) -> None:
        """The utterance begins there."""
        self._known[utterance_id] = RoutedUtterance(self.last_end, onset)
        while len(self._known) > REMEMBERED_UTTERANCES:
            del self._known[min(self._known)]

    def end(self, utterance_id: int, end_sample: int) -> None:
        """The utterance is over there."""
        if (ended := self._known.get(utterance_id)) is not None:
            ended.end_sample = end_sample
        self.last_end = end_sample

    def forget(self, from_sample: int, to_sample: int) -> None:
        """The stretch was echo or noise."""
        for utterance in self._known.values():
            utterance.forgotten.append((from_sample, to_sample))

    def wanted(self, asked: Iterable[RoutedAsk], open_id: int) -> dict[int, RoutedUtterance]:
        """The utterance that is open, and those whose words are awaited."""
        owed = {one.speech.utterance_id for one in asked} | {open_id}
        return {one: self._known[one] for one in owed if one in self._known}

    def tell(self, engine_call: EngineCall, asked: Mapping[int, RoutedAsk], open_id: int, reached: int) -> None:
        """Tell a fresh engine call the open utterance and the awaited ones, in order."""
        for number, (utterance_id, utterance) in enumerate(sorted(self.wanted(asked.values(), open_id).items())):
            end = utterance.end_sample
            engine_call.reach(reached if end is None else min(end, reached))
            if number == 0 and utterance.not_before:
                engine_call.end(utterance_id - 1, utterance.not_before)
            engine_call.speech(utterance_id, utterance.onset, is_begin=True)
            paused_at = end if utterance.paused_at is None else utterance.paused_at
            if paused_at is not None:
                engine_call.speech(utterance_id, paused_at, is_begin=False)
            for stretch in utterance.forgotten:
                engine_call.forget(*stretch)
            for one in [one for one in asked.values() if one.speech.utterance_id == utterance_id]:
                one.answer = None
                engine_call.recognize(one.speech, is_final=one.is_final)
            if end is not None:
                engine_call.end(utterance_id, end)
        engine_call.reach(reached)
