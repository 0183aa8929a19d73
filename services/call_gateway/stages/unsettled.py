"""Unsettled sound: what of the caller's sound the STT stage has not settled, and a fresh stream hears again. Sans-IO.

Samples count on the caller's media clock.
"""

from services.call_gateway.conversation.commands import DiscardUtterance

MOST_KEPT = 16
"""Beginnings of speech, and discards; the sound that is kept is seconds long, and holds no more of either."""


class Unsettled:
    """Unsettled sound of one call, over all its streams."""

    def __init__(self) -> None:
        self.settled_sample = 0  # all before it is settled
        self.discards: list[DiscardUtterance] = []  # of what lies behind words that are owed; to be sent again
        self._begins: list[int] = []  # of speech whose words are owed
        self._ends: list[int] = []  # that were asked for and not answered; the speech before one may be untold

    @property
    def owes_words(self) -> bool:
        """Speech was heard, and its words have not all come."""
        return bool(self._begins)

    def on_speech(self, sample: int) -> None:
        """Speech began there, or ended there and its beginning was not told."""
        if sample >= self.settled_sample:
            self._begins = [*self._begins[: MOST_KEPT - 1], sample]

    def on_speech_end(self, sample: int) -> None:
        """Speech ended there."""
        if not self._begins:
            self.on_speech(sample)

    def on_end(self, end_sample: int) -> None:
        """The words up to there were asked for."""
        if end_sample > self.settled_sample:
            self._ends = [*self._ends[1 - MOST_KEPT :], end_sample]

    def on_settled(self, end_sample: int) -> None:
        """The words up to there have come, or will not come."""
        self.settled_sample = max(self.settled_sample, end_sample)
        self._begins = [sample for sample in self._begins if sample > self.settled_sample]
        self._ends = [sample for sample in self._ends if sample > self.settled_sample]
        self.discards = [discard for discard in self.discards if discard.to_sample > self.settled_sample]

    def on_discard(self, discard: DiscardUtterance) -> None:
        """Drop a stretch that was no speech. Words before it that are owed stay so."""
        owed = (*self._begins, *(sample - 1 for sample in self._ends))  # an end has its words before it
        if any(sample < discard.from_sample for sample in owed):
            self._begins = [at for at in self._begins if not discard.from_sample <= at < discard.to_sample]
            self.discards = [*self.discards[1 - MOST_KEPT :], discard]
        else:
            self.on_settled(discard.to_sample)
