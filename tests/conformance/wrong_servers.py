"""NLU, TTS and gateway servers that break one rule each."""

from collections.abc import Iterable
from typing import Any

from voice.nlu.v1.nlu_pb2 import ToolActivity
from voice.type.v1.turn_pb2 import Cancellation, TurnEnd

from clients.conformance.stages import CALL, NLU, TTS
from clients.conformance.streams import kind_of
from tests.conformance.proxied_servers import Faithful, asks, wrong


@wrong
class KnowsAnyAgent(Faithful):
    stage, breaks = NLU, 2

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "config":
            request.config.agent_id = ""
        return [request]


@wrong
class TellsNoEndOfItsTools(Faithful):
    stage, breaks = NLU, 29

    def response(self, response: Any) -> Iterable[Any]:
        is_end = kind_of(response) == "tool_activity" and response.tool_activity.phase != ToolActivity.PHASE_STARTED
        return [] if is_end else [response]


@wrong
class GoesAwayTwice(Faithful):
    stage, breaks = TTS, 4

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) != "engine":
            return [response]
        return [response, *(TTS.response(going_away={"deadline_ms": 1000}) for _ in range(2))]


@wrong
class NeverFailsAStream(Faithful):
    stage, breaks = NLU, 5

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "config":
            request.config.fail_stream_on_turn_failure = False
        return [request]


@wrong
class RefusesUnknownKinds(Faithful):
    stage, breaks = TTS, 7

    def request(self, request: Any) -> Iterable[Any]:
        return [request] if asks(request) else [TTS.config()]


@wrong
class SendsLongChunks(Faithful):
    stage, breaks = TTS, 13

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "config":
            request.config.longest_chunk_ms = 400
        return [request]


@wrong
class TakesAnyTurnId(Faithful):
    stage, breaks = TTS, 14
    newest = 0

    def request(self, request: Any) -> Iterable[Any]:
        kind = asks(request)
        if kind not in ("text", "text_end"):
            return [request]
        turn_id = getattr(request, kind).turn_id
        is_older, self.newest = turn_id < self.newest, max(self.newest, turn_id)
        return [] if is_older else [request]


@wrong
class KeepsAnOlderDraft(Faithful):
    stage, breaks = NLU, 15

    def response(self, response: Any) -> Iterable[Any]:
        is_cancelled = kind_of(response) == "turn_end" and response.turn_end.outcome == TurnEnd.OUTCOME_CANCELLED
        return [] if is_cancelled else [response]


@wrong
class ActsOnDrafts(Faithful):
    stage, breaks = NLU, 16

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "user_turn":
            request.user_turn.is_draft = False
        return [request]


@wrong
class IgnoresCancellation(Faithful):
    stage, breaks = TTS, 17

    def request(self, request: Any) -> Iterable[Any]:
        return [] if asks(request) == "cancellation" else [request]


@wrong
class CancelsNoTurnAlone(Faithful):
    stage, breaks = TTS, 17

    def request(self, request: Any) -> Iterable[Any]:
        is_alone = asks(request) == "cancellation" and request.cancellation.scope == Cancellation.SCOPE_ONLY
        return [] if is_alone else [request]


@wrong
class EndsATurnTwice(Faithful):
    stage, breaks = TTS, 18

    def response(self, response: Any) -> Iterable[Any]:
        return [response, response] if kind_of(response) == "turn_end" else [response]


@wrong
class TakesNoKeys(Faithful):
    stage, breaks = NLU, 19

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "user_turn" and request.user_turn.WhichOneof("input") == "dtmf":
            request.user_turn.dtmf = "?"
        return [request]


@wrong
class CountsChunksFromZero(Faithful):
    stage, breaks = TTS, 10

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "audio":
            response.audio.chunk.start_sample = 0
        return [response]


@wrong
class SendsItsMarksLast(Faithful):
    stage, breaks = TTS, 26

    def __init__(self) -> None:
        self.held: list[Any] = []

    def response(self, response: Any) -> Iterable[Any]:
        kind = kind_of(response)
        if kind == "spoken_text":
            self.held.append(response)
            return []
        if kind != "turn_end":
            return [response]
        released, self.held = [*self.held, response], []
        return released


@wrong
class AnswersACommittedTurnTwice(Faithful):
    stage, breaks = NLU, 18

    def response(self, response: Any) -> Iterable[Any]:
        return [response, response] if kind_of(response) == "turn_end" else [response]


@wrong
class CutsOffACallerWhoIsDone(Faithful):
    stage, breaks, ends_at_half_close = CALL, 3, True


@wrong
class SpeaksOnlyWholeTexts(Faithful):
    stage, breaks = TTS, 25

    def __init__(self) -> None:
        self.held: list[Any] = []

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "text":
            self.held.append(request)
            return []
        released, self.held = [*self.held, request], []
        return released


@wrong
class CountsBytes(Faithful):
    stage, breaks = TTS, 26

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "text":
            self.texts[request.text.turn_id] = self.texts.get(request.text.turn_id, "") + request.text.text
        return [request]

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "spoken_text":
            mark = response.spoken_text
            mark.text_end_offset = len(self.texts.get(mark.turn_id, "")[: mark.text_end_offset].encode())
        return [response]


@wrong
class SendsAllAtOnce(Faithful):
    stage, breaks = TTS, 27

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "config":
            request.config.max_lead_ms = 0
        return [request]


@wrong
class CountsAResumedTurnFromItsBegin(Faithful):
    stage, breaks = TTS, 28

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "text":
            request.text.start_offset = 0
        return [request]


@wrong
class NeverHangsUp(Faithful):
    stage, breaks = NLU, 30

    def response(self, response: Any) -> Iterable[Any]:
        return [] if kind_of(response) == "call_action" else [response]


@wrong
class HidesItsAgent(Faithful):
    stage, breaks = NLU, 31

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "engine":
            response.engine.ClearField("agent")
        return [response]


@wrong
class FailsWithoutAReason(Faithful):
    stage, breaks = TTS, 32

    def response(self, response: Any) -> Iterable[Any]:
        if kind_of(response) == "turn_end":
            response.turn_end.ClearField("reason")
        return [response]


@wrong
class RefusesWithoutDetails(Faithful):
    stage, breaks, refuses_opaquely = CALL, 32, True


@wrong
class TakesAnyPast(Faithful):
    stage, breaks = NLU, 33

    def request(self, request: Any) -> Iterable[Any]:
        if asks(request) == "config":
            request.config.ClearField("state")
            request.config.ClearField("history")
        return [request]
