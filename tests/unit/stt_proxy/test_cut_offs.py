"""Turns cut off by the judgement of an end, on the labelled texts: totals alone, no sentence is shown."""

import numpy as np
import pytest

from services.stt_proxy.end_of_turn.predictor import DEFAULT
from tests.load.end_of_turn import outcomes, pauses_of, sentences

MEDIAN_MS = 350  # promised
MOST_CUT_OFF = 0.05  # promised
PARTS = ("development", "fresh", "unseen,blind")


@pytest.mark.parametrize("parts", PARTS)
def test_few_turns_are_cut_off_at_a_short_wait(parts: str):
    turns = [pauses_of(language, sentence, DEFAULT) for language, sentence in sentences(parts.split(","))]
    cut_off, waits_ms = outcomes(turns, lambda pause: pause.wait_ms)
    assert float(cut_off.mean()) <= MOST_CUT_OFF
    assert float(np.median(waits_ms)) <= MEDIAN_MS
