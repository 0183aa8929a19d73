"""What a server process holds."""

from pathlib import Path


def resident_kb(pid: int) -> int:
    """Resident memory of a process, in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
