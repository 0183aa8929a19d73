"""The fields a log line may have: an allow-list, so that an unlisted field is held back as personal.

What callers or agents say, keys, destinations, names, numbers of people and free text of any origin belong under keys
that begin with `pii.`; a value that does not fit its field is moved there too.
"""

import re
from typing import Any, Final

PII_PREFIX: Final = "pii."

META: Final = frozenset(
    {"event", "level", "timestamp", "service", "module", "logger", "call_id", "turn_id", "exception"}
)
"""The fields that the log itself puts on a line."""

SENTENCES: Final = frozenset({"allowed_by", "complaint", "exposure", "fault", "hint", "remedy", "where", "who"})
"""Texts of our own, or about files and addresses of the operator; `who` is the name that the operator gave a token, or
that a certificate of theirs carries.
"""

CODES: Final = frozenset(
    {
        "action", "action_id", "advertised", "after", "agent_id", "agents", "app", "before", "cause", "channel",
        "code", "codec", "date", "deeds", "edge", "end_reason", "engine", "event_name", "expected_from", "failure",
        "field", "file", "foreign_from", "intents", "kind", "language", "listening_on", "nlu_engine", "outcome",
        "path", "peer", "phase", "provider", "reason", "rule", "sentiment", "stage", "state", "stop_reason",
        "target", "tenant_id", "thread", "threads", "to", "tool", "tts_engine", "url", "was", "watched_call_id", "what",
        "withheld_rules",
    }
)  # fmt: skip
"""Names, ids and addresses: no blank in them, and not long."""

NUMBERS: Final = frozenset(
    {
        "attempt", "calls", "commit_gain_ms", "concealed_ms", "confidence",
        "drafts_dropped", "drafts_made", "drain_s", "duplicate",
        "duration_ms", "echo_vetoes", "end_probability",
        "end_sample", "epochs", "foreign", "foreign_packets", "found", "hole_ms",
        "is_answered_from_draft", "is_echo_suspected", "is_gateway_prompt", "is_held", "is_settled", "is_to_hang_up",
        "jitter_ms", "lasted_ms", "late", "latency_ms", "lost", "n_bytes", "n_jobs", "n_tools", "n_tools_failed",
        "n_tries", "next_try_s", "nlu_ms",
        "nlu_streams", "orphan_bridges", "orphan_channels", "payload_changes", "processes", "received", "reordered",
        "sample", "sent", "setting", "since_trigger_us", "skipped_ms", "speech_s", "stalled_s", "status", "stt_ms",
        "stt_streams", "text_chars", "took_us", "tts_ms", "tts_streams", "turns", "unexplained_ms", "unknown_payload",
        "utterance_id", "vanished", "wrong_steps",
    }
)  # fmt: skip

COUNTERS: Final = "n."
"""Keys that begin so count something, whatever it is."""

FREE_TEXT: Final = frozenset({"error", "message", "why"})
"""Texts of libraries and peers, in which anything may stand: always personal."""

_CODE: Final = re.compile(r"[^\s\"'<>]{0,128}|[\w.-]{1,64}(>[\w.-]{1,64}){1,7}")  # or a chain: "openai>llama_cpp"
_REASON: Final = re.compile(r"[A-Za-z_]{0,64}")


def is_allowed(key: str, value: Any) -> bool:
    """Return whether a field may be in a line, or on a span, that shows nothing personal."""
    if key in META or key in SENTENCES:
        return True
    if key in NUMBERS or key.startswith(COUNTERS):
        return isinstance(value, bool | int | float)
    if key == "reason":
        return isinstance(value, str) and _REASON.fullmatch(value) is not None
    return key in CODES and _is_code(value)


def _is_code(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return all(_is_code(one) for one in value)
    return value is None or isinstance(value, int | float) or _CODE.fullmatch(str(value)) is not None
