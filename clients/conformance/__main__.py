"""Hold a server to the rules of protos/README.md.

The exit code is 0 when no rule failed, 1 when one did, 2 when the server could not be reached or an option is wrong.
"""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import grpc

from clients.conformance.kit import Outcome, RuleResult, Target, checks_of, judge, run_check
from clients.conformance.report import table, write_json, write_junit
from clients.conformance.stages import STAGES
from services.runtime.channels import ChannelSettings
from services.runtime.errors import rpc_failure

SERVICES = {"stt": "stt", "nlu": "nlu", "tts": "tts", "gateway": "call"}


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m clients.conformance", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--target", required=True, help="host:port")
    parser.add_argument("--service", required=True, choices=SERVICES)
    parser.add_argument("--tls", type=Path, metavar="CA_FILE", help="PEM certificates that sign the server's")
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM chain of this client, for mTLS")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of it")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds the bearer token, and nothing else")
    parser.add_argument("--tenant", default="", help="tenant_id of every config")
    parser.add_argument("--agent", default="", help="agent_id of every config (nlu, gateway)")
    parser.add_argument("--word", default="appointment", help="what an STT server must find in the speech of the kit")
    parser.add_argument("--only", type=int, nargs="*", default=[], metavar="RULE", help="these rules alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run as JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the run as JUnit XML")
    return parser


def target_of(given: argparse.Namespace) -> Target:
    """The server that the options name. Raises OSError."""
    stage = STAGES[SERVICES[given.service]]
    fields = dict(stage.config_fields)
    if given.tenant:
        fields["tenant_id"] = given.tenant
    if given.agent:
        fields["agent_id"] = given.agent
    channel = ChannelSettings(
        tls_ca_file=given.tls,
        tls_certificate_file=given.tls_certificate,
        tls_key_file=given.tls_key,
        token=given.token_file.read_text(encoding="utf-8").strip() if given.token_file else "",
    )
    return Target(given.target, replace(stage, config_fields=fields), channel, given.word)


async def run(target: Target, service: str, only: frozenset[int]) -> list[RuleResult]:
    """Every check of the service, one behind the other. Raises grpc.aio.AioRpcError where the server is not there."""
    features = await target.features()
    checks = [one for one in checks_of(target.stage.name) if not only or only & set(one.rules)]
    results = []
    for number, one in enumerate(checks, start=1):
        print(f"\r{number}/{len(checks)} {one.name[:90]:90}", end="", file=sys.stderr, flush=True)
        results.append(await run_check(one, target, features))
    print("\r" + " " * 100 + "\r", end="", file=sys.stderr)
    return judge(service, results, only)


def main() -> int:
    """Run, report, and say by the exit code how it went."""
    given = options().parse_args()
    if not __debug__:
        print("conformance: the checks are assertions; run without -O", file=sys.stderr)
        return 2
    try:
        target = target_of(given)
        rules = asyncio.run(run(target, given.service, frozenset(given.only)))
        print(table(rules))
        if given.json:
            write_json(given.json, given.target, given.service, rules)
        if given.junit:
            write_junit(given.junit, given.service, rules)
    except OSError as error:
        print(f"conformance: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    except (grpc.aio.AioRpcError, TimeoutError) as error:
        said = rpc_failure(error) if isinstance(error, grpc.aio.AioRpcError) else None
        why = f"{said.code.name} {said.reason} {said.message}" if said else "no answer in time"
        print(f"conformance: no stream can be opened on {given.target}: {why}", file=sys.stderr)
        return 2
    return 1 if any(rule.outcome is Outcome.FAILED for rule in rules) else 0


if __name__ == "__main__":
    sys.exit(main())
