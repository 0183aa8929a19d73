"""TLS and tokens on in all four services: they find each other, probes work, a program calls and watches."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from voice.call.v1 import call_pb2, call_pb2_grpc

from clients.conformance.stages import CALL
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.identity import digest_of
from tests.fakes.ports import free_port
from tests.integration.asterisk import number, running_pbx
from tests.integration.test_run_stack import Command

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "guarded-0123456789abcdef"  # noqa: S105 - a test's own
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
async def test_a_stack_with_tls_and_tokens_starts_is_probed_and_called(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    ca = secrets.ca
    command = Command(**secrets.settings)
    for name, port in zip(("STT", "NLU", "TTS"), command.ports[::2], strict=False):
        command.environment[f"GATEWAY_{name}_TARGET"] = f"127.0.0.1:{port}"
    with command:
        command.wait_for("The stack serves")
        for service in ("stt_proxy", "nlu", "tts", "call_gateway"):
            probe = [sys.executable, "-m", "deploy.probe", service, "ready"]
            for _ in range(20):  # the gateway has just begun to look for the stages
                ran = await asyncio.to_thread(run, probe, ROOT, command.environment)
                if ran.returncode == 0:
                    break
                await asyncio.sleep(1)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        gateway = f"127.0.0.1:{command.environment['GATEWAY_PORT']}"
        async with open_channel(gateway, ChannelSettings(tls_ca_file=ca, token=TOKEN)) as channel:
            stub = call_pb2_grpc.CallGatewayServiceStub(channel)
            assert list((await stub.ListCalls(call_pb2.ListCallsRequest(), timeout=5)).calls) == []
            call: Any = stub.ConnectCall()
            await call.write(CALL.config())
            assert (await call.read()).WhichOneof("response") == "call"
            call.cancel()
        phone = secrets.phone | {"EDGE": "grpc", "PHONE_GATEWAY": gateway}
        ran = await asyncio.to_thread(run, [sys.executable, "-m", "clients.phone"], tmp_path, {**os.environ, **phone})
        assert "no gateway answers" not in ran.stdout + ran.stderr
        assert "When are you open?" in ran.stdout, ran.stdout + ran.stderr


@pytest.mark.asterisk
@pytest.mark.timeout(240)
async def test_a_telephone_calls_a_stack_with_tls_and_tokens_through_asterisk(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    async with running_pbx(tmp_path / "pbx") as pbx:
        command = Command(**secrets.settings, GATEWAY_EDGES="ari,program", GATEWAY_ARI_URL=pbx.ari_url)
        for name, port in zip(("STT", "NLU", "TTS"), command.ports[::2], strict=False):
            command.environment[f"GATEWAY_{name}_TARGET"] = f"127.0.0.1:{port}"
        with command:
            await asyncio.to_thread(command.wait_for, "The stack serves")
            phone = secrets.phone | {
                "PHONE_GATEWAY": f"127.0.0.1:{command.environment['GATEWAY_PORT']}",
                "PHONE_NUMBER": number(pbx),
                "PHONE_SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
            }
            probe = [sys.executable, "-m", "deploy.probe", "call_gateway", "ready"]
            for _ in range(40):  # the stages and Asterisk are there
                if (ran := await asyncio.to_thread(run, probe, ROOT, command.environment)).returncode == 0:
                    break
                await asyncio.sleep(0.5)
            assert ran.returncode == 0, ran.stdout
            ran = await asyncio.to_thread(run, [sys.executable, "-m", "clients.phone"], tmp_path, os.environ | phone)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert "When are you open?" in ran.stdout
            no_token = {name: value for name, value in phone.items() if name != "PHONE_TOKEN"}
            ran = await asyncio.to_thread(run, [sys.executable, "-m", "clients.phone"], tmp_path, os.environ | no_token)
            assert ran.returncode == 1, ran.stdout
            assert "PHONE_TOKEN" in ran.stderr, "it says what is missing"
            assert len(ran.stderr.splitlines()) == 1


class Secrets:
    """Certificates and a token for all four, in a folder, and the settings that name them."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        self._folder = folder
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        issued.cert_chain_pems[0].write_to_path(str(folder / "tls.pem"))
        issued.private_key_pem.write_to_path(str(folder / "tls.key"))
        (folder / "tokens.toml").write_text(
            f'[[tokens]]\nname = "test"\nsha256 = "{digest_of(TOKEN).hex()}"\ntenants = ["*"]\n'
            'scopes = ["connect", "watch", "end"]\nexpires = 2999-01-01\n'
        )

    @property
    def ca(self) -> Path:
        return self._folder / "ca.pem"

    @property
    def settings(self) -> dict[str, str]:
        """Of the stack; the caller always asks the same."""
        return {
            "TONG_DAI_TLS_CERTIFICATE_FILE": str(self._folder / "tls.pem"),
            "TONG_DAI_TLS_KEY_FILE": str(self._folder / "tls.key"),
            "TONG_DAI_AUTH_TOKENS_FILE": str(self._folder / "tokens.toml"),
            "GATEWAY_STAGE_TLS_CA_FILE": str(self.ca),
            "GATEWAY_STAGE_TOKEN": TOKEN,
            "STT_SCRIPT_TEXTS": "When are you open?",
        }

    @property
    def phone(self) -> dict[str, str]:
        """Of `make call`, with one question."""
        return {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos" / "gen")]),
            "WAV": str(ROOT / "clients/phone/questions/en-US-1.wav"),
            "PHONE_TLS_CA_FILE": str(self.ca),
            "PHONE_TOKEN": TOKEN,
        }


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=90)
