"""Admission control: the number of calls that an engine can serve on this machine, measured when the engine starts.

A caller speaks for some 40 % of a call. An engine that decodes stretches is asked once and a half for each utterance of
three seconds (a draft at its pause, sometimes another one); an engine that follows the sound hears only speech.
"""

import time

from services.runtime.errors import CapacityError

SPEECH_SHARE = 0.4
UTTERANCE_S = 3.0
DECODES_AN_UTTERANCE = 1.5
BUSY_SHARE = 0.7  # of the workers' time: beyond it queues grow faster than calls
LEAST_CALLS_A_WORKER = 2  # a start on a busy machine measures too much
RETRY_MS = 2000


class Stopwatch:
    """Cost of work in seconds: the CPU time of the process or the time that passed, whichever is less, so that
    neither a busy machine nor the other threads of the process make an engine look slower than it is.
    """

    def __init__(self) -> None:
        self.compute_s = 0.0

    def __enter__(self) -> "Stopwatch":
        self._began_s = time.monotonic()
        self._cpu_s = time.process_time()
        return self

    def __exit__(self, *raised: object) -> None:
        self.compute_s = min(time.monotonic() - self._began_s, time.process_time() - self._cpu_s)


def calls_by_decode(decode_s: float, n_workers: int) -> int:
    """Return the calls that an engine serves which takes so many seconds of a worker for an utterance of three
    seconds.
    """
    a_call = SPEECH_SHARE / UTTERANCE_S * DECODES_AN_UTTERANCE * decode_s
    return _at_least(n_workers, BUSY_SHARE * n_workers / max(1e-6, a_call))


def calls_by_pace(compute_s_per_s: float, n_workers: int) -> int:
    """Return the calls that an engine serves which takes so many seconds of a worker for each second of speech."""
    return _at_least(n_workers, BUSY_SHARE * n_workers / max(1e-6, SPEECH_SHARE * compute_s_per_s))


def _at_least(n_workers: int, calls: float) -> int:
    return max(LEAST_CALLS_A_WORKER * n_workers, round(calls))


class Admission:
    """Lets calls in until there are as many as the engine can serve."""

    def __init__(self, most: int) -> None:
        """`most`: calls at once; 0: no limit."""
        self.most = most
        self._n_calls = 0

    def enter(self) -> None:
        """A call begins. Raises CapacityError, which says when to try again."""
        if self.most and self._n_calls >= self.most:
            raise CapacityError(
                f"the engine serves {self.most} calls at once on this machine, and {self._n_calls} are up: "
                "try again, or another replica",
                retry_delay_ms=RETRY_MS,
            )
        self._n_calls += 1

    def leave(self) -> None:
        """The call is over."""
        self._n_calls -= 1
