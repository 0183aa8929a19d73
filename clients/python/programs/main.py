"""Run a program: its command line, its exit code, and how an error is printed."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clients.python.connection import Connection
from clients.python.errors import TongDaiError
from clients.python.programs.call import call
from clients.python.programs.flags import Given, UsageError, help_of, parse
from clients.python.programs.stages import chat, hear, say
from clients.python.programs.watch import watch
from clients.python.wav import WavError


@dataclass(frozen=True, slots=True)
class Program:
    """One of the five programs."""

    target: str
    operands: tuple[str, ...]
    run: Callable[[Connection, Given], Awaitable[int]]


PROGRAMS = {
    "call": Program("127.0.0.1:50051", ("IN.wav", "OUT.wav"), call),
    "watch": Program("127.0.0.1:50051", (), watch),
    "say": Program("127.0.0.1:50054", ("TEXT", "OUT.wav"), say),
    "hear": Program("127.0.0.1:50052", ("IN.wav",), hear),
    "chat": Program("127.0.0.1:50053", (), chat),
}


def main() -> int:
    """0: it went well; 1: the server refused or failed; 2: an option or a file is wrong; 130: it was interrupted; 141:
    its output cannot be written.
    """
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    program = PROGRAMS.get(name)
    code = 2
    if program is None:
        print("usage: tong-dai call|watch|say|hear|chat [--help]", file=sys.stderr)
        return code
    try:
        flags = sys.argv[2 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[2:]
        if "--help" in flags:
            print(help_of(name, program.operands), flush=True)
            return 0
        code = asyncio.run(_run(program, parse(name, program.target, program.operands, sys.argv[2:])))
        print(end="", flush=True)  # what is held
    except TongDaiError as error:
        retry = f" (try again in {error.retry_delay_s:.1f} s)" if error.retry_delay_s else ""
        print(f"{name}: {error.summary}\n  {error.message}{retry}", file=sys.stderr)
        code = 1
    except (UsageError, WavError) as error:
        print(f"{name}: {error}", file=sys.stderr)
    except OSError as error:
        if error.filename is None:  # of stdout, for of a file it is known: what is held cannot be printed any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        print(f"{name}: {error.filename}: cannot be opened\n  {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        code = 130
    return code


async def _run(program: Program, given: Given) -> int:
    try:
        connection = Connection(given.options())
    except ValueError as error:
        raise UsageError(str(error)) from None
    async with connection:
        return await program.run(connection, given)
