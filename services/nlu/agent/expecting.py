"""Expected input: the caller's probable next words, read from the agent's own question. Sans-IO."""

from __future__ import annotations

import re

from services.nlu.agent.phrases import phrases_of
from services.nlu.outputs import ExpectedKind

_LAST_SENTENCE = re.compile(r"[^.!?。！？]*[.!?。！？]*\s*$")


def expected_after(reply: str, *, language_code: str) -> ExpectedKind:
    """The shape of the answer to a reply's last sentence."""
    found = _LAST_SENTENCE.search(reply.rstrip())
    phrases = phrases_of(language_code)
    question = phrases.plain(found.group() if found else "")
    asks = reply.rstrip().endswith(("?", "？")) or phrases.has(question, phrases.requests)
    if phrases.has(question, phrases.asks_spelling):
        return ExpectedKind.SPELLING
    if asks and phrases.has(question, phrases.asks_digits):
        return ExpectedKind.DIGITS
    if asks and phrases.has(question, phrases.asks_yes_no):
        return ExpectedKind.YES_NO
    return ExpectedKind.ANSWER if asks else ExpectedKind.OPEN
