"""The order of the integration tests: the files that take longest begin first, so that no worker ends minutes late.

A file is one worker's. xdist hands the files out in the order in which they were collected.
"""

from pathlib import Path

import pytest

LONGEST = (
    "test_asterisk_conversation.py",
    "test_asterisk_edge.py",
    "test_asterisk_processes.py",
    "test_hold_music.py",
    "test_session.py",
    "test_session_stages.py",
    "test_phone_calls.py",
    "test_booked_calls.py",
    "test_one_process.py",
    "test_asterisk_transfers.py",
    "test_alerts.py",
    "test_conversation.py",
    "test_rogue_agent.py",
    "test_run_stack.py",
    "test_canary.py",
    "test_guarded_stack.py",
    "test_rolling.py",
    "test_manifests.py",
)
"""Half a minute or more each, the longest first: calls in real time, and services started as processes."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the files of `LONGEST` to the front; the other tests keep their order."""
    here = Path(__file__).parent
    place = {here / name: at for at, name in enumerate(LONGEST)}
    if missing := [path.name for path in place if not path.is_file()]:
        raise pytest.UsageError(f"conftest.py names files that are gone: {', '.join(missing)}")
    slots = [at for at, item in enumerate(items) if here in item.path.parents]
    ours = sorted((items[at] for at in slots), key=lambda item: place.get(item.path, len(LONGEST)))
    for at, item in zip(slots, ours, strict=True):
        items[at] = item
