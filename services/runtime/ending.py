"""Ends of a process over threads that work on: nothing can cut a blocking call short, as that of loading a model."""

import os
import sys
import threading
from typing import Final

from services.runtime.logs import get_logger
from services.runtime.watchdog import ENGINE_THREADS

LAST_WORK_S: Final = 3.0  # for threads that have work left when every service has stopped

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


def end_over_threads() -> threading.Timer:
    """Return a timer, to be started when every service has stopped: unless it is cancelled, it ends the process
    LAST_WORK_S later. The end of the event loop waits for the threads of its executor, however long those take.
    """

    def end() -> None:
        try:
            log.info("ended_over_threads", threads=[thread.name for thread in threading.enumerate()])
        finally:
            end_now(0)

    timer = threading.Timer(LAST_WORK_S, end)
    timer.daemon = True
    return timer
