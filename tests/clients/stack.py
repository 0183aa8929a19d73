"""The four services with scripted engines, TLS and a token, and further gateways and stages beside them."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from clients.conformance.stages import Stage
from services.runtime.identity import digest_of
from tests.conformance.servers import (
    CALL,
    ENGINES,
    NLU,
    STT,
    TTS,
    Server,
    spawn,
    stop,
    wait_until_serving,
)
from tests.fakes.ports import free_port

ROOT = Path(__file__).parents[2]
TOKEN = "clients-0123456789abcdef"  # noqa: S105 - a test's own
SAYS = "Please say sure."
"""The words that every caller is heard to say."""


@dataclass(frozen=True, slots=True)
class Papers:
    """PEM files of a certificate authority, of the server, and of a client; and files of tokens."""

    ca: Path
    chain: Path
    key: Path
    client_chain: Path
    client_key: Path
    token: Path
    wrong_token: Path
    tokens: Path


def make_papers(folder: Path) -> Papers:
    """Write them all. The client's key is PKCS #8, which Java asks for."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("ca.pem", "tls.pem", "tls.key", "client.pem", "client.key", "token", "wrong-token", "tokens.toml")
    papers = Papers(*(folder / name for name in names))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(papers.ca))
    issued = ((authority.issue_cert("127.0.0.1"), papers.chain, papers.key),)
    issued += ((authority.issue_cert("client.example"), papers.client_chain, papers.client_key),)
    for certificate, chain, key in issued:
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        private = load_pem_private_key(certificate.private_key_pem.bytes(), None)
        key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    papers.token.write_text(TOKEN + "\n")
    papers.wrong_token.write_text("clients-of-nobody-at-all\n")
    papers.tokens.write_text(
        f'[[tokens]]\nname = "test"\nsha256 = "{digest_of(TOKEN).hex()}"\ntenants = ["*"]\n'
        'scopes = ["connect", "watch", "end"]\nexpires = 2999-01-01\n'
    )
    return papers


class GuardedStack:
    """The running services. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.papers = make_papers(folder / "papers")
        self._folder = folder
        self._running = ExitStack()
        self._n_started = 0

    def __enter__(self) -> "GuardedStack":
        integration = ROOT / "tests" / "integration"
        script = self._folder / "caller.txt"
        script.write_text(SAYS, encoding="utf-8")
        quick = {
            "NLU_AGENTS_DIR": str(integration / "agents"),
            "NLU_DEFAULT_AGENT": "quick",
            "NLU_SCRIPT_FILE": str(integration / "replies.toml"),
        }
        with ExitStack() as starting:
            starting.push(self._running)
            self.stt = self._start(STT, ENGINES["stt"]["script"] | {"STT_SCRIPT_FILE": str(script)}, is_awaited=False)
            self.nlu = self._start(NLU, ENGINES["nlu"]["script"] | quick, is_awaited=False)
            tone = ENGINES["tts"]["tone"] | {"TTS_TONE_MS_PER_CHAR": "30"}
            self.tts = self._start(TTS, tone, is_awaited=False)
            self.gateway = self.start_gateway()
            for server in (self.stt, self.nlu, self.tts):
                self._wait(server)
            starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start_gateway(self, *, tts: str = "", nlu: str = "", **settings: str) -> Server:
        """One more gateway before the same stages, or before others. `settings`: more environment."""
        targets = {
            "GATEWAY_STT_TARGET": self.stt.target,
            "GATEWAY_NLU_TARGET": nlu or self.nlu.target,
            "GATEWAY_TTS_TARGET": tts or self.tts.target,
            "GATEWAY_STAGE_TLS_CA_FILE": str(self.papers.ca),
            "GATEWAY_STAGE_TOKEN": TOKEN,
            "GATEWAY_EDGES": "program",
        }
        return self._start(CALL, targets | settings)

    def start_tts(self, **settings: str) -> Server:
        """One more voice. `settings`: more environment."""
        return self._start(TTS, ENGINES["tts"]["tone"] | settings)

    def start_program(self, command: list[str], says: str, programs: Sequence[Path] = ()) -> str:
        """A server in another language, told by --address where to listen, with TLS and the token. `programs`: folders
        of programs that it finds before those of the machine. Returns its target once it `says` that it listens.
        """
        target = f"127.0.0.1:{free_port()}"
        papers = ["--tls-cert", str(self.papers.chain), "--tls-key", str(self.papers.key)]
        guarded = [*papers, "--token-file", str(self.papers.token)]
        path = os.pathsep.join([*(str(folder) for folder in programs), os.environ["PATH"]])
        process = subprocess.Popen(
            [*command, "--address", target, *guarded],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            env=environment() | {"PATH": path},
        )
        self._running.callback(stop, process)
        assert process.stdout is not None
        assert says in process.stdout.readline()
        return target

    def flags(self, target: str) -> list[str]:
        """The flags of every program that is to reach a server here."""
        return ["--target", target, "--tls-ca", str(self.papers.ca), "--token-file", str(self.papers.token)]

    def _start(self, stage: Stage, settings: Mapping[str, str], *, is_awaited: bool = True) -> Server:
        guards = {
            "TONG_DAI_TLS_CERTIFICATE_FILE": str(self.papers.chain),
            "TONG_DAI_TLS_KEY_FILE": str(self.papers.key),
            "TONG_DAI_AUTH_TOKENS_FILE": str(self.papers.tokens),
            "TONG_DAI_DRAIN_S": "1",
        }
        self._n_started += 1
        log_file = self._folder / f"{stage.name}-{self._n_started}.log"
        port, process = spawn(stage, guards | dict(settings), log_file)
        self._running.callback(stop, process)
        server = Server(stage, "script", f"127.0.0.1:{port}", process, log_file)
        if is_awaited and "TONG_DAI_TLS_CLIENT_CA_FILE" not in settings:
            self._wait(server)
        return server

    def _wait(self, server: Server) -> None:
        wait_until_serving(server, grpc.ssl_channel_credentials(self.papers.ca.read_bytes()))


def environment() -> dict[str, str]:
    """The environment of a program: the repository's Python packages, and nothing of the developer's settings."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "protos" / "gen")])
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"PYTHONPATH": paths}
