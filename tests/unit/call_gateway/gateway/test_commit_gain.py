"""Reading of a gateway's log: the gain of committing a turn before its words are settled."""

import json

from tests.load.commit_gain import quantile, row, turns_of


def turn(latency_ms: int | None = 400, gain_ms: int | None = None, event: str = "turn_ended") -> str:
    fields: dict[str, object] = {"event": event}
    if latency_ms is not None:
        fields["latency_ms"] = latency_ms
    if gain_ms is not None:
        fields["commit_gain_ms"] = gain_ms
    return json.dumps(fields)


def test_only_turns_that_answered_a_caller_are_read() -> None:
    lines = [
        turn(gain_ms=30),
        turn(latency_ms=None),
        turn(event="call_ended"),
        '{"event": "turn_ended", "late',
        "no JSON",
    ]
    assert list(turns_of(lines)) == [{"event": "turn_ended", "latency_ms": 400, "commit_gain_ms": 30}]


def test_a_turn_that_waited_for_its_words_gains_nothing() -> None:
    turns = list(turns_of([turn(gain_ms=30), turn(gain_ms=50), turn(), turn(), turn()]))
    told = row(turns).split("; ")
    assert told[0] == "2 of 5 turns committed before their words were settled"
    assert told[1:] == ["gain of all turns p50 0 ms", "of these p50 30 ms, p95 50 ms"]


def test_no_turn_committed_early_says_so() -> None:
    assert row(list(turns_of([turn()]))) == "0 of 1 turns committed before their words were settled"


def test_the_quantile_is_one_of_the_values() -> None:
    assert [quantile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 2.0, 4.0, 4.0]
