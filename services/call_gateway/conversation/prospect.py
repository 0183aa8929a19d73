"""What becomes of a call whose stages are in trouble."""

from enum import Enum

STALLED = "STALLED"
"""The reason where a stage gave none: it said nothing in its time."""


class Prospect(Enum):
    """How it goes on."""

    GOES_ON = "goes_on"
    HOPELESS = "hopeless"  # say goodbye
