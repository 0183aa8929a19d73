"""The REST client against a server that misbehaves, over TLS where it matters."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from services.call_gateway.edges.ari.client import AriClient, AriRefused, AriUnreachable
from services.call_gateway.edges.ari.settings import AriSettings
from tests.fakes.ports import free_port


async def answer(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Authorization") != "Basic dG9uZy1kYWk6dG9uZy1kYWk=":
        return web.json_response({"message": "Authentication required"}, status=401)
    match request.match_info["what"]:
        case "channels":
            return web.json_response([])
        case "slow":
            await asyncio.sleep(1)
        case "torn":
            return web.Response(text="{", content_type="application/json")
        case "wrong":
            return web.Response(text="<html>bad gateway</html>", status=502)
    return web.json_response({"message": "Resource not found"}, status=404)


@asynccontextmanager
async def running_server(context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/ari/{what}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield f"{'http' if context is None else 'https'}://localhost:{port}"
    finally:
        await runner.cleanup()


async def test_each_failure_is_told_apart():
    async with running_server() as url, AriClient(AriSettings(url=url, request_limit_s=0.3)) as ari:
        assert await ari.get("channels") == []
        with pytest.raises(AriUnreachable, match="slow"):
            await ari.get("slow")
        with pytest.raises(AriRefused, match="no JSON"):
            await ari.get("torn")
        with pytest.raises(AriRefused, match="502"):
            await ari.get("wrong")
        with pytest.raises(AriRefused, match="Resource not found") as refusal:
            await ari.get("nothing")
        assert refusal.value.is_gone
        await ari.delete("nothing")


async def test_a_wrong_password_is_refused_and_never_told():
    async with running_server() as url, AriClient(AriSettings(url=url, password="s3cret")) as ari:  # noqa: S106
        with pytest.raises(AriRefused, match="401") as refusal:
            await ari.get("channels")
        assert "s3cret" not in str(refusal.value)


async def test_nothing_listens_on_the_port():
    async with AriClient(AriSettings(url=f"http://127.0.0.1:{free_port()}")) as ari:
        with pytest.raises(AriUnreachable, match="channels"):
            await ari.get("channels")
        with pytest.raises(AriUnreachable, match="events"):
            await ari.open_events()


async def test_asterisks_certificate_is_verified_by_setting(tmp_path: Path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with running_server(context) as url:
        for settings in (
            AriSettings(url=url, tls_ca_file=tmp_path / "ca.pem"),
            AriSettings(url=url, tls_verify=False),
        ):
            async with AriClient(settings) as ari:
                assert await ari.get("channels") == []
        async with AriClient(AriSettings(url=url)) as ari:
            with pytest.raises(AriUnreachable, match="certificate"):
                await ari.get("channels")


async def test_a_new_authority_of_asterisks_certificate_is_believed_without_a_restart(tmp_path: Path):
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    renewed = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    renewed.issue_cert("localhost").configure_cert(context)
    async with running_server(context) as url, AriClient(AriSettings(url=url, tls_ca_file=file)) as ari:
        watching = asyncio.create_task(ari.renew_files())
        with pytest.raises(AriUnreachable, match="certificate"):
            await ari.get("channels")
        renewed.cert_pem.write_to_path(str(file))
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await ari.get("channels") == []
                    break
                except AriUnreachable:
                    await asyncio.sleep(0.2)
        watching.cancel()


async def test_an_authority_that_the_file_names_no_more_is_not_believed(tmp_path: Path):
    file = tmp_path / "ca.pem"
    withdrawn = trustme.CA()
    withdrawn.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    withdrawn.issue_cert("localhost").configure_cert(context)
    async with running_server(context) as url, AriClient(AriSettings(url=url, tls_ca_file=file)) as ari:
        watching = asyncio.create_task(ari.renew_files())
        assert await ari.get("channels") == []
        trustme.CA().cert_pem.write_to_path(str(file))

        async def ask_until_refused() -> None:
            async with asyncio.timeout(20):
                while True:
                    assert await ari.get("channels") == []
                    await asyncio.sleep(0.2)

        with pytest.raises(AriUnreachable, match="certificate"):
            await ask_until_refused()
        with pytest.raises(AriUnreachable, match="certificate"):
            await ari.open_events()
        watching.cancel()


async def test_a_new_password_is_used_without_a_restart(tmp_path: Path):
    file = tmp_path / "ari-password"
    file.write_text("of-yesterday\n")
    async with running_server() as url, AriClient(AriSettings(url=url, password_file=file)) as ari:
        watching = asyncio.create_task(ari.renew_files())
        with pytest.raises(AriRefused, match="401"):
            await ari.get("channels")
        file.write_text("tong-dai\n")
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await ari.get("channels") == []
                    break
                except AriRefused:
                    await asyncio.sleep(0.2)
        watching.cancel()
