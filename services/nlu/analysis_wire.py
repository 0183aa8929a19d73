"""Translation of call analyses to protobuf and back."""

from __future__ import annotations

from voice.nlu.v1 import nlu_pb2
from voice.type.v1 import analysis_pb2

from services.nlu.analysis.analysis import CallAnalysis, CallOutcome, DeedStanding, Past, Sentiment
from services.nlu.state import read_state
from services.nlu.wire import read_entry

_OUTCOMES = {
    CallOutcome.DEED_DONE: analysis_pb2.CallAnalysis.OUTCOME_DEED_DONE,
    CallOutcome.ANSWERED: analysis_pb2.CallAnalysis.OUTCOME_ANSWERED,
    CallOutcome.TRANSFERRED: analysis_pb2.CallAnalysis.OUTCOME_TRANSFERRED,
    CallOutcome.FOLLOW_UP: analysis_pb2.CallAnalysis.OUTCOME_FOLLOW_UP,
    CallOutcome.UNRESOLVED: analysis_pb2.CallAnalysis.OUTCOME_UNRESOLVED,
    CallOutcome.NO_WORDS: analysis_pb2.CallAnalysis.OUTCOME_NO_WORDS,
}
_SENTIMENTS = {
    Sentiment.UNKNOWN: analysis_pb2.CallAnalysis.SENTIMENT_UNSPECIFIED,
    Sentiment.POSITIVE: analysis_pb2.CallAnalysis.SENTIMENT_POSITIVE,
    Sentiment.NEUTRAL: analysis_pb2.CallAnalysis.SENTIMENT_NEUTRAL,
    Sentiment.NEGATIVE: analysis_pb2.CallAnalysis.SENTIMENT_NEGATIVE,
}
_STANDINGS = {
    DeedStanding.DONE: analysis_pb2.CallDeed.STATE_DONE,
    DeedStanding.PENDING: analysis_pb2.CallDeed.STATE_PENDING,
    DeedStanding.FAILED: analysis_pb2.CallDeed.STATE_FAILED,
}


def read_past(request: nlu_pb2.AnalyzeCallRequest, *, language_code: str) -> Past:
    """Return the conversation of a request. Raises BadState."""
    return Past(
        language_code=language_code,
        history=tuple(read_entry(turn) for turn in request.history),
        state=read_state(request.state).agent,
        is_transferred=request.is_transferred,
    )


def write_analysis(analysis: CallAnalysis) -> analysis_pb2.CallAnalysis:
    """Return an analysis as protobuf."""
    return analysis_pb2.CallAnalysis(
        intents=analysis.intents,
        outcome=_OUTCOMES[analysis.outcome],
        sentiment=_SENTIMENTS[analysis.sentiment],
        language_code=analysis.language_code,
        summary=analysis.summary,
        deeds=[analysis_pb2.CallDeed(name=deed.name, state=_STANDINGS[deed.standing]) for deed in analysis.deeds],
        made_by=analysis.made_by,
    )
