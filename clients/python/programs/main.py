"""The command line: options, the exit code, and how an error is printed."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from clients.python.connection import Connection, Options
from clients.python.errors import TongDaiError
from clients.python.programs.call import call
from clients.python.programs.stages import chat, hear, say
from clients.python.programs.watch import watch
from clients.python.wav import WavError

TARGETS = {"call": 50051, "watch": 50051, "hear": 50052, "chat": 50053, "say": 50054}
PROGRAMS: dict[str, Callable[[Connection, argparse.Namespace], Awaitable[int]]] = {
    "call": call,
    "watch": watch,
    "say": say,
    "hear": hear,
    "chat": chat,
}


def parser() -> argparse.ArgumentParser:
    """The command line of docs/CLIENTS.md."""
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument("--target", default="", metavar="HOST:PORT,...", help="replicas, tried in this order")
    common.add_argument("--tls-ca", type=Path, metavar="FILE", help="PEM certificates that sign the server's")
    common.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM chain of this client, for mTLS")
    common.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of it")
    common.add_argument("--token-file", type=Path, metavar="FILE", help="holds the bearer token")
    common.add_argument("--tenant", default="", help="whose call it is")
    common.add_argument("--agent", default="", help="which agent answers")
    common.add_argument("--language", default="", metavar="TAG,...", help="BCP-47 tags, likeliest first")
    common.add_argument("--deadline", type=float, default=10.0, metavar="S", help="for a replica's first response")
    common.add_argument("--rounds", type=int, default=1, metavar="N", help="how often the replicas are tried")
    programs = argparse.ArgumentParser(prog="tong-dai", allow_abbrev=False)
    names = programs.add_subparsers(dest="program", required=True)
    one = names.add_parser("call", parents=[common], allow_abbrev=False, help="call with a WAV; the agent's WAV back")
    one.add_argument("input", type=Path)
    one.add_argument("output", type=Path)
    one.add_argument("--at-once", action="store_true", help="speak without waiting for the greeting")
    one.add_argument("--caller", default="", help="who calls: E.164 or a SIP URI")
    one.add_argument("--calls", type=int, default=0, metavar="N", help="N calls at once, and one line of figures")
    one = names.add_parser("watch", parents=[common], allow_abbrev=False, help="every turn, as a JSON line")
    one.add_argument("--call", default="", metavar="ID", help="this call alone")
    one.add_argument("--count", type=int, default=0, metavar="N", help="end after N turns")
    one = names.add_parser("say", parents=[common], allow_abbrev=False, help="text to a WAV")
    one.add_argument("text")
    one.add_argument("output", type=Path)
    one.add_argument("--voice", default="")
    one.add_argument("--rate", type=float, default=0.0)
    one.add_argument("--sample-rate", type=int, default=8000, metavar="HZ")
    one = names.add_parser("hear", parents=[common], allow_abbrev=False, help="a WAV to text")
    one.add_argument("input", type=Path)
    one.add_argument("--fast", action="store_true", help="faster than real time")
    names.add_parser("chat", parents=[common], allow_abbrev=False, help="talk to the agent, line by line")
    return programs


async def run(given: argparse.Namespace) -> int:
    """Connect and run the program. Raises OSError, TongDaiError, WavError."""
    targets = given.target or f"127.0.0.1:{TARGETS[given.program]}"
    options = Options(
        targets=tuple(targets.split(",")),
        tls_ca_file=given.tls_ca,
        tls_certificate_file=given.tls_cert,
        tls_key_file=given.tls_key,
        token=given.token_file.read_text(encoding="utf-8").strip() if given.token_file else "",
        open_limit_s=given.deadline,
        rounds=given.rounds,
    )
    async with Connection(options) as connection:
        return await PROGRAMS[given.program](connection, given)


def main() -> int:
    """0: it went well; 1: the server refused or failed; 2: an option or a file is wrong."""
    given = parser().parse_args()
    try:
        return asyncio.run(run(given))
    except TongDaiError as error:
        print_error(given.program, error)
        return 1
    except WavError as error:
        print(f"{given.program}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{given.program}: {error.filename}: cannot be opened\n  {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 2


def print_error(program: str, error: TongDaiError) -> None:
    """Two lines on stderr: what it is, the same in every language, and what the server says."""
    print(f"{program}: {error.code} {error.reason}".rstrip(), file=sys.stderr)
    retry = f" (try again in {error.retry_delay_s:.1f} s)" if error.retry_delay_s else ""
    print(f"  {error.message}{retry}", file=sys.stderr)
