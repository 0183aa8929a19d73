"""The number of CPUs this process may use: the smaller of its affinity and its cgroup's CPU quota."""

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def usable_cpus(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """At least 1. A quota of 2.5 CPUs counts as 2: a third thread would be throttled."""
    n_allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = _quotas(cgroups, own_cgroup)
    return max(1, min(n_allowed, *(int(quota) for quota in quotas)) if quotas else n_allowed)


def has_busy_cores(load: Path = Path("/proc/loadavg")) -> bool:
    """Return whether as many threads run or wait to run on the machine as the process has cores, the caller's own
    included.

    Where the kernel does not say so the cores count as busy.
    """
    try:
        n_running = int(load.read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return True
    return n_running >= usable_cpus()


def _quotas(cgroups: Path, own_cgroup: Path) -> list[float]:
    """The quotas, in CPUs, of the process's cgroup and of those around it."""
    quotas = []
    for line in _read(own_cgroup).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = cgroups / "cpu" if controllers else cgroups
        folder = root / path.lstrip("/")
        # In a container with a cgroup namespace of the host's the path is not there: the root is then the own group.
        for group in (folder, *folder.parents):
            quotas += _quota_v1(group) if controllers else _quota_v2(group)
            if group == root:
                break
    return quotas


def _quota_v2(group: Path) -> list[float]:
    """Quota of `cpu.max`, "200000 100000" or "max 100000"; empty: none."""
    quota, period = [*_read(group / "cpu.max").split(), "", ""][:2]
    return [int(quota) / int(period)] if quota.isdigit() and period.isdigit() and int(period) else []


def _quota_v1(group: Path) -> list[float]:
    quota, period = _read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()
    return [int(quota) / int(period)] if quota.isdigit() and period.isdigit() and int(period) else []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
