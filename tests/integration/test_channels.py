"""The client's side of TLS and tokens: what is renewed without a restart, and what never leaves the machine."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest

from clients.conformance.stages import CALL, NLU, STT, TTS
from clients.conformance.streams import Stream, kind_of, opened, start_stream
from services.runtime.channels import ChannelSettings, open_channel
from services.runtime.renewed_channels import RenewedChannels
from tests.conformance.servers import SCRIPTED, running, wait_until_serving
from tests.conformance.test_identity import Certificates, table
from tests.fakes.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = "old-0123456789abcdef", "new-0123456789abcdef"
LIMIT_S = 30


class Secrets:
    """Certificates, keys and tokens in one folder, as a mounted secret has them, and others in their place."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificates = Certificates(folder)
        self.tokens, self.token = folder / "tokens.toml", folder / "token"
        self._write(OLD)

    def _write(self, token: str) -> None:
        self.tokens.write_text(table("gateway", token, "*"))
        self.token.write_text(f"{token}\n")

    def replace(self) -> None:
        """A new authority, new certificates of it, and a new token."""
        (self._folder / "new").mkdir()
        fresh = Certificates(self._folder / "new")
        for name in ("authority", "server_key", "server", "client_key", "client"):
            getattr(fresh, name).replace(getattr(self.certificates, name))
        self._write(NEW)

    @property
    def client(self) -> ChannelSettings:
        own = self.certificates
        return ChannelSettings(
            tls_ca_file=own.authority,
            tls_certificate_file=own.client,
            tls_key_file=own.client_key,
            token_file=self.token,
        )

    @property
    def server(self) -> dict[str, str]:
        return {
            "TONG_DAI_TLS_CERTIFICATE_FILE": str(self.certificates.server),
            "TONG_DAI_TLS_KEY_FILE": str(self.certificates.server_key),
            "TONG_DAI_TLS_CLIENT_CA_FILE": str(self.certificates.authority),
            "TONG_DAI_AUTH_TOKENS_FILE": str(self.tokens),
        }

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        own = self.certificates
        return grpc.ssl_channel_credentials(
            own.authority.read_bytes(), own.client_key.read_bytes(), own.client.read_bytes()
        )


async def is_taken(stream: Stream) -> bool:
    """Return whether the server takes a stream."""
    try:
        await stream.open()
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_a_client_takes_up_new_credentials_and_its_open_streams_go_on(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    with running(TTS, "tone", tmp_path, settings=secrets.server, is_awaited=False) as server:
        await asyncio.to_thread(wait_until_serving, server, secrets.credentials)
        channels = RenewedChannels(secrets.client)
        channel = channels.open(server.target)
        watching = asyncio.create_task(channels.watch())
        old = start_stream(TTS, channel)
        await old.open()
        secrets.replace()
        async with asyncio.timeout(LIMIT_S):
            while not channel._retired or not await is_taken(new := start_stream(TTS, channel)):
                await asyncio.sleep(0.2)
        async with opened(TTS, server.target, secrets.client):
            pass  # the server has the new ones too
        assert channel._retired, "the old channel is there while its stream is"
        for stream in (old, new):
            await stream.send(text={"turn_id": 1, "text": "Good morning.", "flush": True})
            await stream.send(text_end={"turn_id": 1})
            assert "turn_end" in [kind_of(one) for one in await stream.rest()]
        async with asyncio.timeout(LIMIT_S):
            while channel._retired:
                await asyncio.sleep(0.05)
        watching.cancel()
        await channel.close()


async def test_files_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    with running(TTS, "tone", tmp_path, settings=secrets.server, is_awaited=False) as server:
        await asyncio.to_thread(wait_until_serving, server, secrets.credentials)
        channels = RenewedChannels(secrets.client)
        channel = channels.open(server.target)
        secrets.token.write_text("two words\nand a line\n")
        assert not channels._files.look()
        secrets.token.write_text(OLD)
        secrets.certificates.client_key.write_bytes(secrets.certificates.server_key.read_bytes())
        assert not channels._files.look(), "a key that is another certificate's"
        assert await is_taken(start_stream(TTS, channel))
        await channel.close()


async def test_a_gateway_goes_on_through_new_certificates_and_tokens(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    own = secrets.certificates
    gateway_settings = {
        "GATEWAY_STAGE_TLS_CA_FILE": str(own.authority),
        "GATEWAY_STAGE_TLS_CERTIFICATE_FILE": str(own.client),
        "GATEWAY_STAGE_TLS_KEY_FILE": str(own.client_key),
        "GATEWAY_STAGE_TOKEN_FILE": str(secrets.token),
    }
    agents = {"NLU_AGENTS_DIR": str(Path(__file__).parent / "agents"), "NLU_DEFAULT_AGENT": "quick"}

    def stage(kind: Any, more: dict[str, str] | None = None) -> Any:
        settings = secrets.server | (more or {})
        return running(kind, SCRIPTED[kind.name], tmp_path, settings=settings, is_awaited=False)

    with stage(STT) as stt, stage(NLU, agents) as nlu, stage(TTS) as tts:
        for server in (stt, nlu, tts):
            await asyncio.to_thread(wait_until_serving, server, secrets.credentials)
        with running(CALL, "script", tmp_path, settings=gateway_settings, backing=(stt, nlu, tts)) as gateway:
            async with opened(CALL, gateway.target) as before:
                secrets.replace()
                async with asyncio.timeout(LIMIT_S):
                    while "credentials_reloaded" not in gateway.log() or not await is_new_call_taken(gateway.target):
                        await asyncio.sleep(0.3)
                await before.send(dtmf={"digit": "1", "duration_ms": 80})
                heard = await before.until(
                    lambda one: kind_of(one) == "event" and one.event.WhichOneof("event") == "turn"
                )
                assert heard.event.turn.outcome
            log = gateway.log()
    assert "Traceback" not in log
    assert OLD not in log
    assert NEW not in log


async def is_new_call_taken(target: str) -> bool:
    async with open_channel(target) as channel:
        return await is_taken(start_stream(CALL, channel))


async def test_a_proxy_of_the_environment_takes_nothing_off_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        proxy.settimeout(0.5)
        async with open_channel(f"127.0.0.1:{free_port()}", ChannelSettings(token=OLD)) as channel:
            stream = start_stream(TTS, channel)
            assert (await stream.failure()).code is grpc.StatusCode.UNAVAILABLE
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(proxy.accept)


async def test_a_token_does_not_leave_the_machine_over_plain_text() -> None:
    with pytest.raises(ValueError, match="plain text"):
        open_channel("stt.example:50052", ChannelSettings(token=OLD))
    async with open_channel("stt.example:50052", ChannelSettings(token=OLD, allow_insecure=True)):
        pass


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"GATEWAY_STAGE_TOKEN_FILE": "/nowhere"}, "/nowhere"),
        ({"GATEWAY_STAGE_TLS_CA_FILE": "/nowhere"}, "/nowhere"),
        (
            {
                "GATEWAY_EDGES": "ari",
                "GATEWAY_ARI_URL": "https://127.0.0.1:1",
                "GATEWAY_ARI_TLS_CA_FILE": "/nowhere",
            },
            "GATEWAY_ARI_TLS_CA_FILE /nowhere",
        ),
    ],
)
async def test_credentials_that_are_not_there_end_a_gateway_in_one_line(
    settings: dict[str, str], named: str, tmp_path: Path
) -> None:
    with running(CALL, "script", tmp_path, settings=settings, is_awaited=False) as gateway:
        assert await asyncio.to_thread(gateway.process.wait, 60) == 1
        (line,) = [line for line in gateway.log().splitlines() if not line.startswith("{")]
        assert "Traceback" not in gateway.log()
    assert line.startswith("call: ")
    assert named in line
