"""The lock of a gateway and its standby: held once, whatever happens to its file."""

import fcntl
import os
import threading
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
    really_open = os.open

    def noting(path: object, *arguments: int) -> int:
        opened.append(really_open(path, *arguments))  # type: ignore[arg-type] # as it was given
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", noting)
        yield
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


@pytest.mark.timeout(30)
def test_who_waited_for_a_file_that_was_deleted_holds_the_new_one(tmp_path: Path) -> None:
    lock = tmp_path / "gateway.lock"
    with lock.open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        waiting = threading.Thread(target=hold, args=(lock,))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        lock.unlink()  # as one does who clears the folder away
    waiting.join(20)
    assert not waiting.is_alive()
    assert is_locked(lock), "else a third process would serve beside it"
