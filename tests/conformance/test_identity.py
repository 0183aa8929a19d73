"""Rules 2 and 33: tokens, tenants, and probes that need neither. TLS and mTLS."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients.conformance.stages import STAGES, TTS
from clients.conformance.streams import connected, opened, start_stream
from services.runtime.channels import ChannelSettings
from services.runtime.errors import rpc_failure
from tests.conformance.conftest import Start
from tests.conformance.servers import SCRIPTED, Server, running, wait_until_serving

CLINIC = "clinic-0123456789abcdef"
OPERATOR = "operator-0123456789abcdef"
TOKENS = f"""
[[tokens]]
name = "clinic"
token = "{CLINIC}"
tenants = ["clinic"]

[[tokens]]
name = "operator"
token = "{OPERATOR}"
tenants = ["*"]
"""


@pytest.fixture(params=list(STAGES))
def guarded(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Iterator[Server]:
    """A server with tokens on."""
    stage = STAGES[request.param]
    backing = start(stage.name, SCRIPTED[stage.name]).backing
    prefix = "GATEWAY" if stage.name == "call" else stage.name.upper()
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS)
    settings = {f"{prefix}_AUTH_TOKENS_FILE": str(tokens)}
    with running(stage, SCRIPTED[stage.name], tmp_path, settings=settings, backing=backing) as server:
        yield server


async def test_tokens_let_in_whom_they_name_and_probes_need_none(guarded: Server) -> None:
    stage = guarded.stage
    async with connected(guarded.target) as channel:
        failure = await start_stream(stage, channel).failure()
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=stage.full_name), timeout=5
        )
        assert health.status == health_pb2.HealthCheckResponse.SERVING

        describe = channel.unary_unary(
            stage.describe_path,
            request_serializer=type(stage.describe_request).SerializeToString,
            response_deserializer=stage.describe_response.FromString,
        )
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await describe(stage.describe_request)
        assert rpc_failure(raised.value).reason == "TOKEN_INVALID"

        metadata = (("authorization", f"Bearer {CLINIC}"),)
        assert await start_stream(stage, channel, metadata).open(tenant_id="clinic") is not None
        stranger = start_stream(stage, channel, metadata)
        await stranger.send(stage.config(tenant_id="bank"))
        failure = await stranger.failure()
        assert (failure.code, failure.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TENANT_NOT_ALLOWED")
        assert failure.field == "config.tenant_id"

        operator = (("authorization", f"Bearer {OPERATOR}"),)
        assert await start_stream(stage, channel, operator).open(tenant_id="bank") is not None
    assert CLINIC not in guarded.log()
    assert OPERATOR not in guarded.log()


async def test_a_channel_with_a_token_sends_it_on_every_kind_of_call(guarded: Server) -> None:
    stage = guarded.stage
    async with connected(guarded.target, ChannelSettings(token=OPERATOR)) as channel:
        assert await start_stream(stage, channel).open(tenant_id="bank") is not None
        describe = channel.unary_unary(
            stage.describe_path,
            request_serializer=type(stage.describe_request).SerializeToString,
            response_deserializer=stage.describe_response.FromString,
        )
        assert await describe(stage.describe_request, timeout=5) is not None


class Certificates:
    """A small authority, a server's certificate and a client's, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self.server, self.server_key = self._issue(authority, folder, "127.0.0.1", "server")
        self.client, self.client_key = self._issue(authority, folder, "gateway@example.org", "client")

    @staticmethod
    def _issue(authority: trustme.CA, folder: Path, identity: str, name: str) -> tuple[Path, Path]:
        issued = authority.issue_cert(identity)
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(chain))
        issued.private_key_pem.write_to_path(str(key))
        return chain, key


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


async def test_tls_shows_who_the_server_is(certificates: Certificates, tmp_path: Path) -> None:
    settings = {
        "TTS_TLS_CERTIFICATE_FILE": str(certificates.server),
        "TTS_TLS_KEY_FILE": str(certificates.server_key),
    }
    with running(TTS, "tone", tmp_path, settings=settings, is_awaited=False) as server:
        wait_until_serving(server, grpc.ssl_channel_credentials(certificates.authority.read_bytes()))
        async with opened(TTS, server.target, ChannelSettings(tls_ca_file=certificates.authority)) as stream:
            await stream.rest()


async def test_mutual_tls_wants_to_know_who_the_client_is(certificates: Certificates, tmp_path: Path) -> None:
    settings = {
        "TTS_TLS_CERTIFICATE_FILE": str(certificates.server),
        "TTS_TLS_KEY_FILE": str(certificates.server_key),
        "TTS_TLS_CLIENT_CA_FILE": str(certificates.authority),
    }
    known = ChannelSettings(
        tls_ca_file=certificates.authority,
        tls_certificate_file=certificates.client,
        tls_key_file=certificates.client_key,
    )
    with running(TTS, "tone", tmp_path, settings=settings, is_awaited=False) as server:
        wait_until_serving(
            server,
            grpc.ssl_channel_credentials(
                certificates.authority.read_bytes(),
                certificates.client_key.read_bytes(),
                certificates.client.read_bytes(),
            ),
        )
        async with opened(TTS, server.target, known) as stream:
            await stream.rest()
        async with connected(server.target, ChannelSettings(tls_ca_file=certificates.authority)) as channel:
            failure = await start_stream(TTS, channel).failure()
    assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    nowhere = {"TTS_TLS_CERTIFICATE_FILE": "nowhere.pem", "TTS_TLS_KEY_FILE": "nowhere.key"}
    with running(TTS, "tone", tmp_path, settings=nowhere, is_awaited=False) as server:
        assert server.process.wait(timeout=30) == 1
        lines = [line for line in server.log().splitlines() if "{" not in line]
    assert lines == ["tts: TLS: cannot read nowhere.pem: No such file or directory"]
