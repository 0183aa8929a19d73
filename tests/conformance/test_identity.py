"""Rules 2 and 33: tokens, tenants, and probes that need neither. TLS and mTLS."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from voice.call.v1 import call_pb2, call_pb2_grpc

from clients.conformance.stages import CALL, STAGES, TTS
from clients.conformance.streams import connected, kind_of, opened, start_stream
from services.runtime.channels import ChannelSettings
from services.runtime.errors import RpcFailure, rpc_failure
from services.runtime.identity import digest_of
from tests.conformance.conftest import Start
from tests.conformance.servers import SCRIPTED, Server, running, wait_until_serving

CLINIC = "clinic-0123456789abcdef"
OPERATOR = "operator-0123456789abcdef"
NEW = "clinic-fedcba9876543210"


def table(name: str, token: str, tenants: str, scopes: str = "connect") -> str:
    """One table of a file of tokens."""
    return (
        f'[[tokens]]\nname = "{name}"\nsha256 = "{digest_of(token).hex()}"\ntenants = ["{tenants}"]\n'
        f'scopes = ["{scopes}"]\nexpires = 2999-01-01\n'
    )


TOKENS = table("clinic", CLINIC, "clinic") + table("operator", OPERATOR, "*", 'connect", "watch')


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


async def test_a_certificate_is_renewed_without_a_restart_and_old_streams_live(
    certificates: Certificates, tmp_path: Path
) -> None:
    settings = {
        "TTS_TLS_CERTIFICATE_FILE": str(certificates.server),
        "TTS_TLS_KEY_FILE": str(certificates.server_key),
    }
    with running(TTS, "tone", tmp_path, settings=settings, is_awaited=False) as server:
        wait_until_serving(server, grpc.ssl_channel_credentials(certificates.authority.read_bytes()))
        async with opened(TTS, server.target, ChannelSettings(tls_ca_file=certificates.authority)) as old:
            (tmp_path / "renewed").mkdir()
            renewed = Certificates(tmp_path / "renewed")
            renewed.server_key.replace(certificates.server_key)
            renewed.server.replace(certificates.server)
            wait_until_serving(server, grpc.ssl_channel_credentials(renewed.authority.read_bytes()))
            async with opened(TTS, server.target, ChannelSettings(tls_ca_file=renewed.authority)) as new:
                await new.rest()
            assert [kind_of(one) for one in await old.rest()] == []


async def test_a_token_is_replaced_without_a_restart_and_old_streams_live(start: Start, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(table("clinic", CLINIC, "clinic"))
    with running(TTS, "tone", tmp_path, settings={"TTS_AUTH_TOKENS_FILE": str(tokens)}) as server:
        async with opened(TTS, server.target, ChannelSettings(token=CLINIC), tenant_id="clinic") as old:
            tokens.write_text(table("clinic", NEW, "clinic"))
            async with connected(server.target, ChannelSettings(token=CLINIC)) as channel, asyncio.timeout(20):
                while (failure := await refusal(channel)) is None:
                    await asyncio.sleep(0.2)
            assert failure.reason == "TOKEN_INVALID"
            async with opened(TTS, server.target, ChannelSettings(token=NEW), tenant_id="clinic") as new:
                await new.rest()
            assert await old.rest() == []


async def test_an_expired_token_opens_no_stream_and_its_open_streams_live(start: Start, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    ends = datetime.now(UTC) + timedelta(seconds=8)
    tokens.write_text(table("clinic", CLINIC, "clinic").replace("2999-01-01", ends.isoformat()))
    with running(TTS, "tone", tmp_path, settings={"TTS_AUTH_TOKENS_FILE": str(tokens)}) as server:
        async with opened(TTS, server.target, ChannelSettings(token=CLINIC), tenant_id="clinic") as old:
            async with connected(server.target, ChannelSettings(token=CLINIC)) as channel, asyncio.timeout(30):
                while (failure := await refusal(channel)) is None:
                    await asyncio.sleep(0.5)
            assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
            assert datetime.now(UTC) >= ends
            await old.send(text={"turn_id": 1, "text": "Good morning.", "flush": True})
            await old.send(text_end={"turn_id": 1})
            assert "turn_end" in [kind_of(one) for one in await old.rest()]


async def refusal(channel: grpc.aio.Channel) -> RpcFailure | None:
    """The reason why a question is not answered."""
    describe = channel.unary_unary(
        TTS.describe_path,
        request_serializer=type(TTS.describe_request).SerializeToString,
        response_deserializer=TTS.describe_response.FromString,
    )
    try:
        await describe(TTS.describe_request, timeout=5)
    except grpc.aio.AioRpcError as error:
        return rpc_failure(error)
    return None


@pytest.mark.parametrize("scope", ["connect", "watch", "end"])
async def test_a_token_is_good_for_its_scopes_only(gateway: Server, tmp_path: Path, scope: str) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(table("someone", CLINIC, "*", scope))
    settings = {"GATEWAY_AUTH_TOKENS_FILE": str(tokens)}
    with running(CALL, "script", tmp_path, settings=settings, backing=gateway.backing) as server:
        async with connected(server.target, ChannelSettings(token=CLINIC)) as channel:
            stub = call_pb2_grpc.CallGatewayServiceStub(channel)
            reasons = {}
            stream = start_stream(CALL, channel)
            try:
                await stream.open()
                reasons["connect"] = ""
            except grpc.aio.AioRpcError as error:
                reasons["connect"] = rpc_failure(error).reason
            for name, ask in (
                ("watch", stub.ListCalls(call_pb2.ListCallsRequest())),
                ("end", stub.EndCall(call_pb2.EndCallRequest(call_id="none"))),
            ):
                try:
                    await ask
                    reasons[name] = ""
                except grpc.aio.AioRpcError as error:
                    reasons[name] = rpc_failure(error).reason
            watching = stub.WatchCalls(call_pb2.WatchCallsRequest())
            try:
                await watching.initial_metadata()
                if (code := await watching.code() if watching.done() else grpc.StatusCode.OK) is grpc.StatusCode.OK:
                    reasons["watching"] = ""
                else:
                    reasons["watching"] = code.name
            finally:
                watching.cancel()
    allowed = {"connect": "", "watch": "", "end": "CALL_NOT_FOUND"}
    for name, reason in allowed.items():
        assert reasons[name] == (reason if name == scope else "SCOPE_MISSING"), name
    if scope == "watch":
        log = server.log()
        assert '"event": "watch_began"' in log
        assert '"who": "someone"' in log


def test_a_certificate_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    nowhere = {"TTS_TLS_CERTIFICATE_FILE": "nowhere.pem", "TTS_TLS_KEY_FILE": "nowhere.key"}
    with running(TTS, "tone", tmp_path, settings=nowhere, is_awaited=False) as server:
        assert server.process.wait(timeout=30) == 1
        lines = [line for line in server.log().splitlines() if "{" not in line]
    assert lines == ["tts: TLS: cannot read nowhere.pem: No such file or directory"]
