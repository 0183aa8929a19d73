"""The stack of the session, and the programs of every language run side by side."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.stack import ROOT, GuardedStack, environment

LANGUAGES: Mapping[str, list[str]] = {
    "python": [sys.executable, "-m", "clients.python"],
    "go": [str(ROOT / "clients/go/bin/tong-dai")],
    "typescript": ["node", str(ROOT / "clients/typescript/dist/programs/main.js")],
    "java": [str(ROOT / "clients/java/tong-dai")],
}
LIMIT_S = 120.0
DEADLINE_S = "60"
"""For the first response: on a machine that is busy with other tests a JVM alone takes seconds to start."""
TIME = re.compile(r"^ *\d+\.\d{3} ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended."""

    code: int
    out: str
    err: str

    @property
    def untimed(self) -> str:
        """The output, without the times in front of the lines."""
        return TIME.sub("", self.out)

    @property
    def error(self) -> str:
        """The first line of its errors, the same in every language; what gRPC itself logs before it is passed over."""
        return next((line for line in self.err.splitlines() if re.match("[a-z]+: ", line)), "")


def start(language: str, arguments: list[str], **how: object) -> "subprocess.Popen[str]":
    """A program of a language, running."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    program, *rest = arguments
    command = [*LANGUAGES[language], program, "--deadline", DEADLINE_S, *rest]
    return subprocess.Popen(command, text=True, encoding="utf-8", env=environment(), **{**pipes, **how})  # type: ignore[call-overload, no-any-return]  # pipes


def finish(process: "subprocess.Popen[str]", said: str = "") -> Ran:
    """Wait for a program to end; give it `said` on stdin."""
    try:
        out, err = process.communicate(said, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"not over within {LIMIT_S} s: {out}{err}") from None
    return Ran(process.returncode, out, err)


def run(language: str, arguments: list[str], said: str = "") -> Ran:
    """Run a program of a language to its end."""
    return finish(start(language, arguments), said)


def run_all(arguments: list[str], folder: Path, said: str = "") -> dict[str, Ran]:
    """Run a program in every language at once; "OUT" among the arguments is a file of the language's own."""

    def one(language: str) -> Ran:
        return run(language, [str(out_file(folder, language)) if a == "OUT" else a for a in arguments], said)

    with ThreadPoolExecutor() as pool:
        return dict(zip(LANGUAGES, pool.map(one, LANGUAGES), strict=True))


def out_file(folder: Path, language: str) -> Path:
    """The WAV that a language writes."""
    return folder / f"{language}.wav"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedStack]:
    with GuardedStack(tmp_path_factory.mktemp("stack")) as started:
        yield started
