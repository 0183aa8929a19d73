"""The rules of protos/README.md: their numbers, what each is about, and why some cannot be seen on a server."""

from dataclasses import dataclass
from typing import Final

BINDS_CLIENTS: Final = "it binds the client"
BINDS_PROTOS: Final = "it binds the .proto files"


@dataclass(frozen=True, slots=True)
class Rule:
    """One numbered rule."""

    number: int
    title: str
    unchecked: str = ""
    """The reason why no check of a server stands for it."""


RULES: Final = (
    Rule(1, "config opens a stream, engine answers"),
    Rule(2, "call_id is a label; tenant, agent and languages are known"),
    Rule(3, "half-close finishes what was sent"),
    Rule(4, "going_away is said once"),
    Rule(5, "fail_stream_on_turn_failure"),
    Rule(6, "v1 only grows", BINDS_PROTOS),
    Rule(7, "an unknown kind of request is ignored"),
    Rule(8, "features name what the server understands"),
    Rule(9, "numbers carry units, enums begin UNSPECIFIED", BINDS_PROTOS),
    Rule(10, "the sample clock"),
    Rule(11, "holes are concealed or reset, overlaps refused"),
    Rule(12, "waits are counted in samples"),
    Rule(13, "lengths of chunks"),
    Rule(14, "turn ids increase"),
    Rule(15, "one committed turn and one draft"),
    Rule(16, "a draft has no side effects"),
    Rule(17, "cancellation and fences"),
    Rule(18, "one turn_end a turn"),
    Rule(19, "kinds of user_turn"),
    Rule(20, "evidence of hearing"),
    Rule(21, "one utterance_settled an utterance_end"),
    Rule(22, "corrections", BINDS_CLIENTS),
    Rule(23, "utterance_discard and update"),
    Rule(24, "progress every 500 ms"),
    Rule(25, "clauses, text and its end"),
    Rule(26, "spoken_text and playout_report"),
    Rule(27, "max_lead_ms and leading silence"),
    Rule(28, "start_offset"),
    Rule(29, "tools: told as they run, listed, held to their schemas"),
    Rule(30, "call_action and expectation"),
    Rule(31, "the agent's profile"),
    Rule(32, "failures and their details"),
    Rule(33, "a fresh stream in mid-call"),
    Rule(34, "nothing sent is dropped, every queue is bounded"),
)
