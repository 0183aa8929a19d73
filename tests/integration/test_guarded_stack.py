"""TLS and tokens on in all four services: they find each other, probes work, a program calls and watches."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from voice.call.v1 import call_pb2, call_pb2_grpc

from clients.conformance.stages import CALL
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.identity import digest_of
from tests.integration.test_run_stack import Command

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "guarded-0123456789abcdef"  # noqa: S105 - a test's own
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
async def test_a_stack_with_tls_and_tokens_starts_is_probed_and_called(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca, chain, key, tokens = (tmp_path / name for name in ("ca.pem", "tls.pem", "tls.key", "tokens.toml"))
    authority.cert_pem.write_to_path(str(ca))
    issued.cert_chain_pems[0].write_to_path(str(chain))
    issued.private_key_pem.write_to_path(str(key))
    tokens.write_text(
        f'[[tokens]]\nname = "test"\nsha256 = "{digest_of(TOKEN).hex()}"\ntenants = ["*"]\n'
        'scopes = ["connect", "watch", "end"]\nexpires = 2999-01-01\n'
    )
    settings = {
        "TONG_DAI_TLS_CERTIFICATE_FILE": str(chain),
        "TONG_DAI_TLS_KEY_FILE": str(key),
        "TONG_DAI_AUTH_TOKENS_FILE": str(tokens),
        "GATEWAY_STAGE_TLS_CA_FILE": str(ca),
        "GATEWAY_STAGE_TOKEN": TOKEN,
        "STT_SCRIPT_TEXTS": "When are you open?",
    }
    with Command(**settings) as command:
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
            call = stub.ConnectCall()
            await call.write(CALL.config())
            assert (await call.read()).WhichOneof("response") == "call"
            call.cancel()
        phone = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos" / "gen")]),
            "EDGE": "grpc",
            "WAV": str(ROOT / "clients/phone/questions/en-US-1.wav"),
            "PHONE_GATEWAY": gateway,
            "PHONE_TLS_CA_FILE": str(ca),
            "PHONE_TOKEN": TOKEN,
        }
        ran = await asyncio.to_thread(run, [sys.executable, "-m", "clients.phone"], tmp_path, {**os.environ, **phone})
        assert "no gateway answers" not in ran.stdout + ran.stderr
        assert "When are you open?" in ran.stdout, ran.stdout + ran.stderr


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=90)
