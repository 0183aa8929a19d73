"""Whether the conversation is over. Sans-IO.

Lists of phrases decide, not the model: a small model hangs up on people who
ask something, or never does.
"""

from __future__ import annotations

from services.nlu.agent.wording import phrases_of

_FAREWELL_WORDS = 14  # more than that says something that wants an answer
_FAREWELL_CHARS = 20  # the same for languages without spaces
_QUESTION_MARKS = "?？"


def caller_ends(text: str, *, last_heard: str, language_code: str) -> bool:
    """Whether the caller wants to end the call: a goodbye, or a no to "is there anything else?".

    `last_heard` is what the caller heard of the agent's last reply.
    """
    if any(mark in text for mark in _QUESTION_MARKS):
        return False
    phrases = phrases_of(language_code)
    plain = phrases.plain(text)
    is_short = len(plain.split()) <= _FAREWELL_WORDS if phrases.is_spaced else len(plain) <= _FAREWELL_CHARS
    if not is_short:
        return False
    if phrases.means(plain, phrases.farewells):
        return True
    was_offered = phrases.has(phrases.plain(last_heard), phrases.offers)
    return was_offered and _refuses(plain, language_code)


def agent_ends(reply: str, *, language_code: str) -> bool:
    """Whether a reply itself says goodbye: the model's wish to hang up counts only then."""
    phrases = phrases_of(language_code)
    return phrases.means(phrases.plain(reply), phrases.farewells)


def _refuses(plain: str, language_code: str) -> bool:
    phrases = phrases_of(language_code)
    left = phrases.without_fillers(plain)
    if left == "":
        return phrases.has(plain, phrases.thanks)
    return left in phrases.refusals or plain in phrases.refusals
