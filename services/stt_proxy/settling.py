"""Settling of ended utterances: each is answered exactly once and in order, with its text or the reason of a
failure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from services.stt_proxy.engine import Corrected, Heard, Segment, Span, Unheard
from services.stt_proxy.events import Cost, Evidence, TextStage, Transcript, UtteranceSettled
from services.stt_proxy.open_utterance import Ask, OpenUtterance

REMEMBERED_ENDS = 16  # utterances that may still be corrected
SETTLE_TIMEOUT = "SETTLE_TIMEOUT"

Output = Evidence | Ask


@dataclass(slots=True)
class _Settling:
    """An utterance that has been ended and not yet answered."""

    utterance_id: int
    end_sample: int
    not_before: int
    spans: tuple[Span, ...]
    request_id: int
    trigger_ns: int
    is_asked: bool  # False: it waits for the draft that is under way


class Settlements:
    """Ended utterances of one call; also makes the requests of the whole call, whose ids rise."""

    def __init__(self) -> None:
        self._owed: dict[int, _Settling] = {}  # by utterance
        self._answered: dict[int, list[Output]] = {}  # by utterance: what is told when those before it are answered
        self._ends: dict[int, tuple[int, int]] = {}  # by utterance: its first and last sample
        self._request_ids = count(1)
        self.n_drafts_used = 0
        self.n_drafts_dropped = 0

    def __len__(self) -> int:
        return len(self._owed) + len(self._answered)

    @property
    def first_samples(self) -> Iterator[int]:
        """Return where the speech of each utterance begins that is awaited."""
        return (settling.spans[0].start_sample for settling in self._owed.values())

    def ask(
        self, utterance_id: int, spans: tuple[Span, ...], *, not_before: int, is_final: bool, trigger_ns: int
    ) -> Ask:
        """A question to the engine."""
        return Ask(next(self._request_ids), utterance_id, spans, not_before, is_final, trigger_ns)

    def settle(self, ended: OpenUtterance, spans: tuple[Span, ...], end_sample: int, trigger_ns: int) -> list[Output]:
        """A draft followed only by silence is the settled text; one on its way will be; else the engine is asked."""
        settling = _Settling(ended.utterance_id, end_sample, ended.not_before, spans, 0, trigger_ns, is_asked=False)
        if not spans:
            settling.spans = (Span(end_sample, end_sample),)
            return self._settled(settling, Heard(request_id=0, text="", language_code=""), trigger_ns)
        if ended.text is not None and ended.text_spans == spans:
            self.n_drafts_used += 1
            return self._settled(settling, ended.text, trigger_ns)
        self._owed[ended.utterance_id] = settling
        if ended.draft is not None and ended.draft.spans == spans:
            self.n_drafts_used += 1
            settling.request_id = ended.draft.request_id
            return []
        if ended.text is not None or ended.draft is not None:
            self.n_drafts_dropped += 1
        return [self._ask_for(settling)]

    def owes(self, utterance_id: int) -> bool:
        """Return whether the utterance was ended and is not answered yet."""
        return utterance_id in self._owed

    def heard(self, ask: Ask, heard: Heard, *, now_ns: int) -> list[Output]:
        """Take the words of a request; those of an earlier request are not awaited any more."""
        settling = self._owed[ask.utterance_id]
        return self._settled(settling, heard, now_ns) if settling.request_id == ask.request_id else []

    def unheard(self, ask: Ask, unheard: Unheard) -> list[Output] | None:
        """Take a refusal: the draft that was awaited is asked for again, and a second refusal is a failure. None: no
        utterance here waited for it.
        """
        settling = self._owed.get(ask.utterance_id)
        if settling is None or settling.request_id != ask.request_id:
            return None
        if settling.is_asked:
            return self._fail(settling, unheard.reason, unheard.message)
        return [self._ask_for(settling)]

    def corrected(self, corrected: Corrected) -> list[Output]:
        """Take a better text of a settled utterance; nothing follows where the utterance is forgotten."""
        place = self._ends.get(corrected.utterance_id)
        if place is None or corrected.utterance_id in self._owed:
            return []
        better = Transcript(
            corrected.utterance_id, TextStage.CORRECTED, corrected.text, *place,
            corrected.language_code, corrected.confidence,
        )  # fmt: skip
        if corrected.utterance_id in self._answered:
            self._answered[corrected.utterance_id].append(better)
            return []
        return [better]

    def expire(self, utterance_id: int) -> list[Output]:
        """The engine took too long to settle the utterance."""
        settling = self._owed.get(utterance_id)
        if settling is None:
            return []
        return self._fail(
            settling, SETTLE_TIMEOUT, "the engine gave no text in time: end the turn without it, or retry"
        )

    def _ask_for(self, settling: _Settling) -> Ask:
        ask = self.ask(
            settling.utterance_id,
            settling.spans,
            not_before=settling.not_before,
            is_final=True,
            trigger_ns=settling.trigger_ns,
        )
        settling.request_id, settling.is_asked = ask.request_id, True
        return ask

    def _settled(self, settling: _Settling, heard: Heard, now_ns: int) -> list[Output]:
        self._close(settling)
        cost = cost_of(heard, since_ns=settling.trigger_ns, now_ns=now_ns)
        text = transcript_of(
            settling.utterance_id,
            TextStage.SETTLED,
            heard,
            spans=settling.spans,
            end_sample=settling.end_sample,
            cost=cost,
        )
        settled = UtteranceSettled(settling.utterance_id, settling.end_sample, cost=cost)
        return self._in_order(settling.utterance_id, [text, settled])

    def _fail(self, settling: _Settling, reason: str, message: str) -> list[Output]:
        self._close(settling)
        failed = UtteranceSettled(settling.utterance_id, settling.end_sample, reason, message)
        return self._in_order(settling.utterance_id, [failed])

    def _in_order(self, utterance_id: int, outputs: list[Output]) -> list[Output]:
        """The reports that can be told now that this utterance is answered."""
        self._answered[utterance_id] = outputs
        told: list[Output] = []
        for answered in sorted(self._answered):
            if any(owed < answered for owed in self._owed):
                break
            told += self._answered.pop(answered)
        return told

    def _close(self, settling: _Settling) -> None:
        self._owed.pop(settling.utterance_id, None)
        self._ends[settling.utterance_id] = (settling.spans[0].start_sample, settling.end_sample)
        if len(self._ends) > REMEMBERED_ENDS:
            del self._ends[min(self._ends)]


def transcript_of(
    utterance_id: int, stage: TextStage, heard: Heard, *, spans: Sequence[Span], end_sample: int, cost: Cost
) -> Transcript:
    """Return the engine's words as evidence; words without a place lie anywhere in the speech."""
    segments = heard.segments
    if heard.text and not segments:
        segments = (Segment(heard.text, spans[0].start_sample, spans[-1].end_sample, heard.confidence),)
    return Transcript(
        utterance_id, stage, heard.text, spans[0].start_sample, end_sample,
        heard.language_code, heard.confidence, segments, cost,
    )  # fmt: skip


def cost_of(heard: Heard, *, since_ns: int, now_ns: int) -> Cost:
    """Return the cost of the words, in microseconds."""
    return Cost(heard.queue_us, heard.compute_us, max(0, now_ns - since_ns) // 1000)
