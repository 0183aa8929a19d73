"""Ports for servers of tests, on loopback, that no other test and no client takes in between.

A port that the kernel chooses and that is let go again may be the next client's, before the server binds it. These lie
below the kernel's own range (ip_local_port_range, 32768 on), each worker of pytest-xdist has a share of them, and a
process is given a port once until all of its share were given.
"""

import itertools
import os
import random
import socket
from collections.abc import Iterator

FIRST, LAST = 10_000, 20_999
N_SHARES = 10  # workers with a share of their own


def _candidates() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = (LAST - FIRST + 1) // N_SHARES
    first = FIRST + worker % N_SHARES * size
    start = random.randrange(size)  # another run beside this one begins elsewhere
    for at in itertools.count(start):
        yield first + at % size


_candidate = _candidates()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A free loopback port, TCP unless `kind` is SOCK_DGRAM."""
    for port in _candidate:
        with socket.socket(socket.AF_INET, kind) as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("the candidates never end")


def free_ports(count: int) -> list[int]:
    """So many of them, for TCP."""
    return [free_port() for _ in range(count)]
