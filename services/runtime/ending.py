"""Ends of a process over threads that work on: nothing can cut a blocking call short, as that of loading a model."""

import os
import sys
import threading
from typing import Final

from services.runtime.logs import get_logger
from services.runtime.watchdog import ENGINE_THREADS

LAST_WORK_S: Final = 3.0

log = get_logger(__name__)


def end_now(status: int) -> None:
    """End the process without a word to its threads."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)  # also where the log has no reader any more


def end_in_call(status: int) -> None:
    """End the process at once where an engine's thread is still in a call, as in loading a model. The interpreter would
    take itself down under native code that runs on, which ends in a segmentation fault.
    """
    if ENGINE_THREADS.is_in_call:
        end_now(status)


class LastWork:
    """Limit on what threads still do once every service has stopped, or the start has failed: LAST_WORK_S after `begin`
    the process ends, unless the loop has ended before that. The end of the loop waits for the threads of its executor,
    however long those take.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def begin(self, status: int = 0, last_word: str = "") -> None:
        """End the process with `status` unless `cancel` is called in time; its `last_word` goes to stderr."""
        self._timer = threading.Timer(LAST_WORK_S, _end_over_threads, (status, last_word))
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """The loop has ended by itself."""
        if self._timer is not None:
            self._timer.cancel()


def _end_over_threads(status: int, last_word: str) -> None:
    try:
        if last_word:
            print(last_word, file=sys.stderr)
        log.info("ended_over_threads", threads=[thread.name for thread in threading.enumerate()])
    finally:
        end_now(status)
