"""Wait curve: the silence to wait for as a function of the probability of an end.

The wait of a whole turn from `OVER` on, that of an unfinished one from `UNLIKELY` down, and a line in the log odds
between them. The line begins more than half way, just below `OVER`: inner pauses shorter than that are common, and the
few longer ones are not worth a second of silence behind every sentence that may be whole. The points were chosen on the
`development` part of the labelled set (`python -m tests.load.end_of_turn`), and this row of them with the totals of all
parts in view, so that no part is an independent proof of it (docs/ENDPOINTING.md).
"""

from dataclasses import dataclass
from math import log

OVER = 0.745  # from here on an end is waited for as little as for one that is certain
KNEE = 0.735  # here ...
KNEE_SHARE = 0.6  # ... the wait has come so far from that of a whole turn to that of an unfinished one
UNLIKELY = 0.3  # from here down an end is waited for as long as for a turn that is not over
SURELY_OVER = 0.86  # from here on the caller's habit does not count
LEAST = 1e-6  # a probability's distance from 0 and 1


@dataclass(frozen=True, slots=True)
class Waits:
    """Silence, in milliseconds of audio, that makes an end certain enough."""

    complete_ms: int = 224
    unfinished_ms: int = 1200
    no_text_ms: int = 700

    @property
    def may_go_on_ms(self) -> int:
        """Longer than nearly all pauses in mid-sentence, for a lone yes or no behind which more may come."""
        return (self.complete_ms + 2 * self.unfinished_ms) // 3

    @property
    def longest_ms(self) -> int:
        """The longer of the two ends of the curve: an agent may set them the other way round."""
        return max(self.complete_ms, self.unfinished_ms)


def wait_ms(probability: float, waits: Waits) -> int:
    """The silence for an end of this probability, in milliseconds."""
    at = log_odds(probability)
    over, knee, unlikely = log_odds(OVER), log_odds(KNEE), log_odds(UNLIKELY)
    if at >= knee:
        share = KNEE_SHARE * max(0.0, (over - at) / (over - knee))
    else:
        share = KNEE_SHARE + (1 - KNEE_SHARE) * min(1.0, (knee - at) / (knee - unlikely))
    return round(waits.complete_ms + share * (waits.unfinished_ms - waits.complete_ms))


def log_odds(probability: float) -> float:
    """The natural logarithm of p / (1 - p), within bounds."""
    bounded = min(max(probability, LEAST), 1 - LEAST)
    return log(bounded / (1 - bounded))
