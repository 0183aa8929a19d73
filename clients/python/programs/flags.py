"""The command line: flags and operands in any order, checked before anything is opened."""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.python.connection import Options

FLAGS = """\
agent|ID||which agent answers
at-once||call|speaks without waiting for the greeting
call|ID|watch|this call alone
caller|NUMBER|call|who calls: E.164 or a SIP URI
calls|N|call|N calls from this process, 100 ms apart; prints one JSON line of figures
count|N|watch|ends after N turns
deadline|S||seconds that a replica has for its first response; 10
fast||hear|sends faster than real time; the text is the same
language|TAG,...||BCP-47, likeliest first
rate|R|say|how fast the voice speaks: 0.5 to 2
rounds|N||how often the replicas are tried, with the server's wait in between; 1
sample-rate|HZ|call,hear,say|of what is said, and of stdin; 8000, 16000, 24000 or 48000; 8000
target|HOST:PORT,...||replicas, tried in this order; the service's port on 127.0.0.1
tenant|ID||whose call it is
tls-ca|FILE||PEM certificates that sign the server's; turns TLS on
tls-cert|FILE||PEM chain of this client, for mTLS
tls-key|FILE||PEM key of this client in PKCS #8, for mTLS
token-file|FILE||holds the bearer token
voice|NAME|say|a voice of the engine
"""
"""Name, value, the programs that have it (all where empty) and meaning; the same text in every language."""
NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
WHOLE = re.compile(r"[0-9]{1,9}")
RATES = re.compile("8000|16000|24000|48000")
PORT = r"([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
ADDRESS = rf"([^\s:/,\[\]]+|\[[0-9A-Fa-f:.]+\]):{PORT}"
TARGETS = re.compile(f"{ADDRESS}(,{ADDRESS})*")
TOKEN = re.compile(r"[!-~]+")


class UsageError(Exception):
    """A command line, or a file that it names, is wrong."""


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of a command line."""

    operands: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def text(self, flag: str) -> str:
        """The value of a flag; empty where it was not given."""
        return self.values.get(flag, "")

    def number(self, flag: str) -> float:
        """The number of a flag; 0 where it was not given."""
        return float(self.text(flag) or 0)

    def whole(self, flag: str) -> int:
        """The whole number of a flag; 0 where it was not given."""
        return int(self.text(flag) or 0)

    @property
    def whose(self) -> dict[str, Any]:
        """The fields of a config that say whose call it is."""
        languages = [tag for tag in self.text("language").split(",") if tag]
        return {"tenant_id": self.text("tenant"), "agent_id": self.text("agent"), "language_codes": languages}

    def options(self) -> Options:
        """The options of the connection to the service. Raises OSError, UsageError."""
        tls = ("tls-ca", "tls-cert", "tls-key")
        authority, certificate, key = (Path(self.text(flag)) if self.text(flag) else None for flag in tls)
        if (certificate is None) != (key is None) or (certificate and not authority):
            raise UsageError("--tls-cert and --tls-key go together, with --tls-ca")
        for path in (authority, certificate, key):
            if path and b"-----BEGIN " not in path.read_bytes():
                raise UsageError(f"{path}: no PEM file")
        if authority:
            _check_pem(authority, certificate, key)
        token = ""
        if self.text("token-file"):
            token = Path(self.text("token-file")).read_text(encoding="utf-8", errors="replace").strip()
            if not TOKEN.fullmatch(token):
                raise UsageError(f"{self.text('token-file')}: holds no token")
        return Options(
            targets=tuple(self.text("target").split(",")),
            tls_ca_file=authority,
            tls_certificate_file=certificate,
            tls_key_file=key,
            token=token,
            open_limit_s=self.number("deadline"),
            rounds=self.whole("rounds"),
        )


def _check_pem(authority: Path, certificate: Path | None, key: Path | None) -> None:
    """Raises UsageError: a file has the frame of PEM and nothing that TLS can use."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=authority)
    except ssl.SSLError:
        raise UsageError(f"{authority}: no PEM file") from None
    try:
        if certificate:
            context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        raise UsageError(f"{certificate}, {key}: no certificate and its key") from None


def parse(name: str, target: str, operands: Sequence[str], arguments: Sequence[str]) -> Given:
    """Read the command line of a program. Raises UsageError."""
    given = Given(values={"target": target, "deadline": "10", "rounds": "1", "sample-rate": "8000"})
    flags = flags_of(name)
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "--":  # what follows are operands
            given.operands.extend(left)
            break
        if not argument.startswith("--"):
            given.operands.append(argument)
            continue
        flag, equals, value = argument.removeprefix("--").partition("=")
        kind, _ = flags.get(flag, (None, ""))
        if kind is None:
            raise UsageError(f"unknown flag --{flag}")
        if not kind and equals:
            raise UsageError(f"--{flag} takes no value")
        if not kind:
            value = "yes"
        elif not equals and not left:
            raise UsageError(f"--{flag} needs a value")
        elif not equals:
            value = left.pop(0)
        _check(flag, kind, value)
        given.values[flag] = value
    if len(given.operands) != len(operands):
        raise UsageError(f"needed: {' '.join([name, *operands])}")
    return given


def _check(flag: str, kind: str, value: str) -> None:
    if kind == "N" and not WHOLE.fullmatch(value):
        raise UsageError(f"--{flag} wants a whole number: {value}")
    if kind == "HZ" and not RATES.fullmatch(value):
        raise UsageError(f"--{flag} wants 8000, 16000, 24000 or 48000: {value}")
    if kind in ("R", "S") and not (NUMBER.fullmatch(value) and float(value)):
        raise UsageError(f"--{flag} wants a number: {value}")
    if flag == "target" and not TARGETS.fullmatch(value):
        raise UsageError(f"--target wants HOST:PORT,...: {value}")


def flags_of(program: str) -> Mapping[str, tuple[str, str]]:
    """The flags of a program, each with what its value is and its meaning."""
    rows = (line.split("|") for line in FLAGS.splitlines())
    return {flag: (kind, why) for flag, kind, programs, why in rows if not programs or program in programs.split(",")}


def help_of(name: str, operands: Sequence[str]) -> str:
    """The text that --help prints."""
    lines = [f"usage: tong-dai {' '.join([name, *operands])} [flags]"]
    lines += [f"  {f'--{flag} {kind}'.strip():24}{why}" for flag, (kind, why) in flags_of(name).items()]
    return "\n".join(lines)
