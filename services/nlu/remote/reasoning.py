"""Reasoning at the beginning of an answer whose opening mark the server's chat template has written. Sans-IO.

DeepSeek-R1, QwQ and others begin inside `<think>`; a server without a parser for it (vLLM without
`--reasoning-parser`, for one) sends the thought and `</think>` as text. That a server does so is known by the setting,
or from its first answer in which the closing mark comes alone.
"""

from __future__ import annotations

import re

_MARK = re.compile(r"[<\[◁]\s?(/?)\s?(?:think|thought|reason)\w{0,12}\s?[>\]▷]", re.IGNORECASE)
_LONGEST_MARK = 32


class ReasoningFilter:
    """The text of one answer. In an answer that begins inside a thought, nothing comes out before the thought's end.

    Any other answer passes as it is; `began_inside` then tells whether it began inside a thought after all.
    """

    def __init__(self, *, begins_inside: bool) -> None:
        self.is_holding = begins_inside
        self.began_inside = False
        self._held = ""  # while holding, all of it; else what may be the beginning of a mark
        self._is_decided = False  # a mark has been seen

    def take(self, text: str) -> str:
        """Add text; returns what is no thought."""
        searched_from = max(0, len(self._held) - _LONGEST_MARK)
        self._held += text
        found = None if self._is_decided else _MARK.search(self._held, searched_from)
        if found is not None:
            self._is_decided, self.began_inside = True, bool(found.group(1))
        if not self.is_holding:
            self._held = self._held[-_LONGEST_MARK:]
            return text
        if found is None:
            return ""
        rest = self._held[found.end() if self.began_inside else 0 :]  # a thought with its opening is hidden later on
        self.is_holding, self._held = False, ""
        return rest

    def finish(self) -> str:
        """The answer is whole; returns what was held: no thought, since it never ended."""
        rest, self._held = self._held if self.is_holding else "", ""
        self.is_holding = False
        return rest
