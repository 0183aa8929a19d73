"""STT servers that break one rule each."""

from collections.abc import Iterable
from typing import Any

from voice.stt.v1.stt_pb2 import MediaIdle, SpeechActivity, Transcript

from clients.conformance.hearing import RATE
from clients.conformance.stages import STT
from clients.conformance.streams import kind_of
from tests.conformance.proxied_servers import Faithful, asks, wrong


@wrong
class TakesASecondConfig(Faithful):
    stage, breaks = STT, 1
    is_open = False

    def request(self, request: Any) -> Iterable[Any]:
        is_second = asks(request) == "config" and self.is_open
        self.is_open = True
        return [] if is_second else [request]


@wrong
class DropsWhatIsOpenAtHalfClose(Faithful):
    stage, breaks, ends_at_half_close = STT, 3, True


@wrong
class ListsAFeatureTwice(Faithful):
    stage, breaks = STT, 8

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "engine":
            response.engine.features.append(response.engine.features[0])
        return [response]


@wrong
class CountsFromTheStreamsBegin(Faithful):
    stage, breaks = STT, 10
    start = 0

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "config":
            self.start = request.config.start_sample
        return [request]

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "speech_activity":
            response.speech_activity.sample -= self.start
        return [response]


@wrong
class TakesOverlappingSound(Faithful):
    stage, breaks = STT, 11
    end = 0

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "audio":
            request.audio.start_sample = max(self.end, request.audio.start_sample)
            self.end = request.audio.start_sample + len(request.audio.content)
        return [request]


@wrong
class TakesHoldForSilence(Faithful):
    stage, breaks = STT, 12

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "media_idle":
            request.media_idle.reason = MediaIdle.REASON_UNKNOWN
        return [request]


@wrong
class IsSurerThanSure(Faithful):
    stage, breaks = STT, 20

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "turn_prediction":
            response.turn_prediction.probability = 1.5
        return [response]


@wrong
class HearsNoKeys(Faithful):
    stage, breaks = STT, 20

    def response(self, response: Any) -> Iterable[Any]:
        return [] if kind_of(response) == "line_event" else [response]


@wrong
class TellsAKeywordTwice(Faithful):
    stage, breaks = STT, 20

    def response(self, response: Any) -> Iterable[Any]:
        return [response, response] if kind_of(response) == "keyword" else [response]


@wrong
class SpotsNoKeywords(Faithful):
    stage, breaks = STT, 20

    def response(self, response: Any) -> Iterable[Any]:
        return [] if kind_of(response) == "keyword" else [response]


@wrong
class SettlesTwice(Faithful):
    stage, breaks = STT, 21

    def response(self, response: Any) -> Iterable[Any]:
        return [response, response] if kind_of(response) == "utterance_settled" else [response]


@wrong
class MakesNoDrafts(Faithful):
    stage, breaks = STT, 20

    def response(self, response: Any) -> Iterable[Any]:
        is_draft = kind_of(response) == "transcript" and response.transcript.stage == Transcript.STAGE_DRAFT
        return [] if is_draft else [response]


@wrong
class TellsOnlyTheLastPart(Faithful):
    stage, breaks = STT, 20
    begun = 0

    def response(self, response: Any) -> Iterable[Any]:
        kind = kind_of(response)
        if kind == "speech_activity" and response.speech_activity.kind == SpeechActivity.KIND_BEGIN:
            self.begun = response.speech_activity.sample
        elif kind == "transcript":
            response.transcript.start_sample = self.begun
        return [response]


@wrong
class SettlesBeforeItsText(Faithful):
    stage, breaks = STT, 21

    def __init__(self) -> None:
        self.held: list[Any] = []

    def response(self, response: Any) -> Iterable[Any]:
        kind = kind_of(response)
        if kind == "transcript" and response.transcript.stage == Transcript.STAGE_SETTLED:
            self.held.append(response)
            return []
        if kind != "utterance_settled":
            return [response]
        released, self.held = [response, *self.held], []
        return released


@wrong
class NeverHearsAnEndOfSpeech(Faithful):
    stage, breaks = STT, 20

    def response(self, response: Any) -> Iterable[Any]:
        is_end = kind_of(response) == "speech_activity" and response.speech_activity.kind == SpeechActivity.KIND_END
        return [] if is_end else [response]


@wrong
class TakesMissingPacketsForHold(Faithful):
    stage, breaks = STT, 12

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "media_idle":
            request.media_idle.reason = MediaIdle.REASON_HOLD
        return [request]


@wrong
class ForgetsNothing(Faithful):
    stage, breaks = STT, 23

    def request(self, request: Any) -> Iterable[Any]:
        return [] if asks(request) == "utterance_discard" else [request]


@wrong
class ShowsNoProgress(Faithful):
    stage, breaks = STT, 24

    def response(self, response: Any) -> Iterable[Any]:
        return [] if kind_of(response) == "progress" else [response]


@wrong
class LosesSoundThatComesTooFast(Faithful):
    stage, breaks = STT, 34

    def request(self, request: Any) -> Iterable[Any]:
        is_lost = asks(request) == "audio" and 30 * RATE < request.audio.start_sample < 300 * RATE
        return [] if is_lost else [request]
