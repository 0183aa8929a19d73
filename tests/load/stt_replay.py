"""Judges a recording of the STT stage: when would the gateway have taken each turn, had the waits been these?

The recorded words go, at the moments they came, through the stage's own reasoning (`services.stt_proxy.utterance`) and
what that says through the gateway's own rule (`services.call_gateway.conversation.endpointing`). `AS_SERVED` uses the
predictions the server sent instead: it checks the replay. Where the engine is one that knows the words, the label says
how far the caller had come: the engine itself counts pauses, and loses count where noise makes a pause look short.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from voice.stt.v1 import stt_pb2

from services.call_gateway.conversation import events as gateway
from services.call_gateway.conversation.endpointing import Endpointing as GatewayRule
from services.call_gateway.conversation.endpointing import TurnEnd
from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.media_clock import MediaClock
from services.stt_proxy import engine
from services.stt_proxy.end_of_turn.wait_curve import Waits
from services.stt_proxy.events import TextStage, Transcript, TurnPrediction
from services.stt_proxy.open_utterance import Ask
from services.stt_proxy.settling import Output
from services.stt_proxy.utterance import Endpointing, Utterances
from tests.load.clips import Clip
from tests.load.stt_recording import FRAME_SAMPLES, Heard, Item, Said

RATE_HERTZ = 8000
PER_MS = RATE_HERTZ // 1000
TRUE_END_TOLERANCE_MS = 160  # the detector may drop a last word's faint end
LONGEST_WAIT_FRAMES = 200  # behind the recorded sound: four seconds
TEXTS = (stt_pb2.Transcript.STAGE_PARTIAL, stt_pb2.Transcript.STAGE_DRAFT)


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to wait."""

    name: str
    endpointing: Endpointing = field(default_factory=Endpointing)
    uses_text: bool = True
    uses_served_predictions: bool = False


AS_SERVED = Setting("as served", uses_served_predictions=True)


def settings(*, punctuates: bool) -> list[Setting]:
    """The default and what is compared with it, for an engine that writes punctuation or one that may not."""
    usual = Endpointing(punctuates=punctuates)

    def waiting(name: str, waits: Waits, *, uses_text: bool = True) -> Setting:
        return Setting(name, replace(usual, waits=waits), uses_text)

    chosen = [AS_SERVED, Setting("default", usual)]
    chosen += [waiting(f"complete {ms}", Waits(complete_ms=ms)) for ms in (192, 256, 320, 400)]
    chosen += [waiting(f"unfinished {ms}", Waits(unfinished_ms=ms)) for ms in (800, 1600)]
    chosen += [
        waiting(f"silence alone {ms}", Waits(no_text_ms=ms), uses_text=False) for ms in (256, 500, 700, 1000)
    ]  # fmt: skip
    return [*chosen, Setting("without habit", replace(usual, learns_pauses=False))]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one clip's turn."""

    item: Item
    is_cut_off: bool  # taken while the caller was not through
    wait_ms: float  # from the true end to the moment it was taken; infinite when it never was
    reason: str
    text: str  # on which it was taken


def judge_recording(
    calls: Sequence[Sequence[Heard]], setting: Setting, *, knows_words: bool = False
) -> Iterator[Outcome]:
    """Judge every clip; a call's clips in order, since its habit is learnt on the way."""
    for call in calls:
        replayed = _Call(setting, knows_words=knows_words)
        for heard in call:
            yield replayed.judge(heard)


def words_said(clip: Clip, end_sample: int) -> str:
    """The words of a clip up to a sample of it; within a part they are taken to be spoken evenly."""
    edges = [clip.speech_start_sample, *(edge for pause in clip.pauses for edge in pause), clip.speech_end_sample]
    said: list[str] = []
    for part, begin, end in zip(clip.text.split("|"), edges[::2], edges[1::2], strict=True):
        if end_sample >= end - TRUE_END_TOLERANCE_MS * PER_MS:
            said.append(part.strip())
            continue
        n_spoken = len(part.strip()) * max(0, end_sample - begin) // (end - begin)
        whole_words = [word for word in re.finditer(r"\S+", part.strip()) if word.end() <= n_spoken]
        said += [word.group() for word in whole_words]
        break
    return " ".join(said)


class _Call:
    """The STT stage's memory of one call."""

    def __init__(self, setting: Setting, *, knows_words: bool) -> None:
        self._setting = setting
        self._knows_words = knows_words
        self._utterances = Utterances(setting.endpointing, sample_rate_hertz=RATE_HERTZ)
        self._asks: dict[int, Ask] = {}

    def judge(self, heard: Heard) -> Outcome:
        self._asks.clear()
        clock = MediaClock(RATE_HERTZ)
        rule = GatewayRule(ConversationSettings(), clock)
        rule.ended_sample = rule.heard_sample = heard.start_sample
        waiting = list(heard.said)
        end: TurnEnd | None = None
        taken_sample, text = 0, ""
        last = heard.sent_sample + LONGEST_WAIT_FRAMES * FRAME_SAMPLES
        for sample in range(heard.start_sample + FRAME_SAMPLES, last, FRAME_SAMPLES):
            clock.advance(sample, now=sample / RATE_HERTZ)
            while waiting and waiting[0]["at"] <= sample:
                self._hear(self._worded(waiting.pop(0), heard), rule)
            if sample > heard.sent_sample:
                rule.on_progress(sample)
            if end is None and (end := rule.decide()) is not None:
                taken_sample, text = sample, rule.utterance.text
        self._utterances.end(heard.sent_sample, sent_sample=heard.sent_sample, trigger_ns=0)
        self._utterances.skip()
        true_end = heard.start_sample + heard.item.clip.speech_end_sample
        if end is None:
            return Outcome(heard.item, is_cut_off=False, wait_ms=float("inf"), reason="never", text="")
        return Outcome(
            heard.item,
            is_cut_off=taken_sample < true_end,
            wait_ms=(taken_sample - true_end) / PER_MS,
            reason=end.reason,
            text=text,
        )

    def _worded(self, said: Said, heard: Heard) -> Said:
        if said["kind"] != "text" or not self._knows_words:
            return said
        return {**said, "text": words_said(heard.item.clip, said["end"] - heard.start_sample)}

    def _hear(self, said: Said, rule: GatewayRule) -> None:
        nothing = engine.Hints()
        match said["kind"]:
            case "begin":
                self._tell(self._utterances.begin(said["sample"], said["score"], nothing), rule)
                rule.on_speech(gateway.SpeechBegan(said["sample"], said["score"]))
            case "end":
                rule.on_speech(gateway.SpeechStopped(said["sample"], said["score"]))
                outputs = self._utterances.pause(
                    said["sample"], said["score"], nothing, trigger_ns=0, wants_draft=self._setting.uses_text
                )
                self._tell(outputs, rule)
            case "text" if said["stage"] in TEXTS and (ask := self._asks.pop(said["end"], None)) is not None:
                words = engine.Heard(ask.request_id, said["text"], said["language"], said["confidence"])
                self._tell(self._utterances.heard(ask, words, nothing, now_ns=0), rule)
            case "prediction" if self._setting.uses_served_predictions:
                rule.on_prediction(
                    gateway.TurnPredicted(
                        0, said["end"], said["probability"], said["wait_ms"], said["reason"]
                    )
                )  # fmt: skip
            case "progress":
                rule.on_progress(said["sample"])

    def _tell(self, outputs: Sequence[Output], rule: GatewayRule) -> None:
        for output in outputs:
            if isinstance(output, Ask):
                self._asks[output.spans[-1].end_sample] = output
            elif isinstance(output, Transcript):
                is_draft = output.stage is TextStage.DRAFT
                stage = gateway.TextStage.DRAFT if is_draft else gateway.TextStage.PARTIAL
                rule.on_text(
                    gateway.TranscriptHeard(0, stage, output.text, output.start_sample, output.end_sample),
                    is_draft=is_draft,
                )
            elif isinstance(output, TurnPrediction) and not self._setting.uses_served_predictions:
                rule.on_prediction(
                    gateway.TurnPredicted(0, output.end_sample, output.probability, output.wait_ms, output.reason)
                )
