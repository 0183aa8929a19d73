"""The number of usable CPUs follows affinity and quota."""

import os
from pathlib import Path

import pytest

from services.runtime.cpu import usable_cpus

ALLOWED = len(os.sched_getaffinity(0))


def cgroup(tmp_path: Path, own: str, **files: str) -> tuple[Path, Path]:
    """A cgroup tree with the given files, "a/b/cpu.max" written a__b__cpu.max."""
    for name, content in files.items():
        path = tmp_path / "cgroup" / name.replace("__", "/").replace("cpu_max", "cpu.max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
    own_file = tmp_path / "own"
    own_file.write_text(own, encoding="ascii")
    return tmp_path / "cgroup", own_file


def test_without_cgroups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path, tmp_path / "none") == ALLOWED


@pytest.mark.parametrize(("quota", "expected"), [("100000", 1), ("50000", 1), ("max", ALLOWED), ("99900000", ALLOWED)])
def test_the_quota_of_the_own_group_counts(tmp_path: Path, quota: str, expected: int) -> None:
    assert usable_cpus(*cgroup(tmp_path, "0::/app\n", app__cpu_max=f"{quota} 100000\n")) == expected


def test_the_quota_of_a_group_around_it_counts(tmp_path: Path) -> None:
    paths = cgroup(tmp_path, "0::/pod/app\n", pod__app__cpu_max="max 100000\n", pod__cpu_max="100000 100000\n")
    assert usable_cpus(*paths) == 1


def test_in_a_container_the_root_is_the_own_group(tmp_path: Path) -> None:
    assert usable_cpus(*cgroup(tmp_path, "0::/kubepods/pod1\n", cpu_max="100000 100000\n")) == 1
