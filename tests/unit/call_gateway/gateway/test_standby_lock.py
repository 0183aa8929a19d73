"""The lock of a gateway and its standby: held once, whatever happens to its file."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from services.call_gateway.__main__ import hold
from services.runtime.errors import StartupError


@pytest.fixture(autouse=True)
def let_go(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`hold` keeps its descriptor for the life of a process; here it is closed behind each test."""
    opened: list[int] = []
    on_terminate = signal.getsignal(signal.SIGTERM)  # which `hold` sets
    really_open = os.open

    def noting(path: object, *arguments: int) -> int:
        opened.append(really_open(path, *arguments))  # type: ignore[arg-type] # as it was given
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", noting)
        yield
    signal.signal(signal.SIGTERM, on_terminate)
    for descriptor in set(opened):
        with suppress(OSError):  # closed by `hold` already
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    with path.open("w") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_the_file_is_the_owners_and_locked(tmp_path: Path) -> None:
    lock = tmp_path / "gateway.lock"
    hold(lock)
    assert is_locked(lock)
    assert lock.stat().st_mode & 0o077 == 0


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "gateway.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartupError, match=r"gateway\.lock cannot be locked"):
        hold(tmp_path / "gateway.lock")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StartupError, match="another user"):
        hold(tmp_path / "gateway.lock")


HOLDS = (
    "import pathlib, sys, time; from services.call_gateway.__main__ import hold; print('waits', flush=True);"
    "hold(pathlib.Path(sys.argv[1])); print('holds', flush=True); time.sleep(60)"
)


@pytest.mark.timeout(60)
def test_who_waited_for_a_file_that_was_deleted_holds_the_new_one(tmp_path: Path) -> None:
    lock = tmp_path / "gateway.lock"
    with lock.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        standby = subprocess.Popen([sys.executable, "-c", HOLDS, str(lock)], stdout=subprocess.PIPE, text=True)
        try:
            assert standby.stdout is not None
            assert standby.stdout.readline() == "waits\n"
            wait_for_a_second_opener(lock)
            lock.unlink()  # as one does who clears the folder away
            first.close()
            assert standby.stdout.readline() == "holds\n"
            assert is_locked(lock), "else a third process would serve beside it"
        finally:
            standby.kill()
            standby.communicate()


def wait_for_a_second_opener(lock: Path) -> None:
    """Return when a process besides this one waits for the lock, as the kernel lists it."""
    inode = f":{lock.stat().st_ino} "
    while not any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()):
        time.sleep(0.02)


def test_only_the_owner_may_lock_the_file(tmp_path: Path) -> None:
    lock = tmp_path / "gateway.lock"
    lock.touch(mode=0o666)
    lock.chmod(0o666)
    hold(lock)
    assert lock.stat().st_mode & 0o777 == 0o600
