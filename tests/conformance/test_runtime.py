"""The runtime's duties to every service, on the smallest service there is: loading, failures, start and stop."""

import asyncio
import errno
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients.conformance.stages import TTS
from clients.conformance.streams import connected, kinds, opened, start_stream
from services.runtime.errors import rpc_failure
from services.runtime.server import EXIT_ENGINE_LOST
from tests.conformance.servers import Server, running, spawn, wait_until_serving
from tests.conformance.toy_service import SECRET
from tests.fakes.ports import free_port

TOY = replace(TTS, module="tests.conformance.toy_service")


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Server]:
    with running(TOY, "tone", tmp_path) as server:
        yield server


async def health_of(server: Server, service: str = TOY.full_name) -> int:
    async with connected(server.target) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=15, wait_for_ready=True)).status


async def test_while_loading_a_server_is_up_and_refuses_streams(tmp_path: Path) -> None:
    with running(TOY, "tone", tmp_path, settings={"TTS_LOAD_S": "20"}, is_awaited=False) as server:
        assert await health_of(server) == health_pb2.HealthCheckResponse.NOT_SERVING
        async with connected(server.target) as channel:
            failure = await start_stream(TOY, channel).failure()
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "LOADING")
        assert failure.retry_delay_ms > 0
        wait_until_serving(server)


async def test_while_loading_nothing_is_described(tmp_path: Path) -> None:
    with running(TOY, "tone", tmp_path, settings={"TTS_LOAD_S": "20"}, is_awaited=False) as server:
        assert await health_of(server) == health_pb2.HealthCheckResponse.NOT_SERVING
        async with connected(server.target) as channel:
            describe = channel.unary_unary(
                TOY.describe_path,
                request_serializer=type(TOY.describe_request).SerializeToString,
                response_deserializer=TOY.describe_response.FromString,
            )
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await describe(TOY.describe_request)
        assert rpc_failure(raised.value).reason == "LOADING"


async def test_an_unexpected_failure_tells_the_client_nothing_of_it(toy: Server) -> None:
    async with opened(TOY, toy.target) as stream:
        await stream.send(text={"turn_id": 1, "text": "fail"})
        failure = await stream.failure()
    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert SECRET not in failure.message
    assert "ValueError" in toy.log(), "the log has the traceback"


async def test_one_failed_stream_leaves_the_others(toy: Server) -> None:
    async with opened(TOY, toy.target) as healthy, opened(TOY, toy.target) as doomed:
        await doomed.send(text={"turn_id": 1, "text": "fail"})
        await doomed.failure()
        await healthy.send(text={"turn_id": 1, "text": "hello"})
        assert kinds(await healthy.rest()) == ["turn_end"]


@pytest.mark.parametrize(("command", "cause"), [("end thread", "ended"), ("hang thread", "hangs")])
async def test_a_lost_engine_thread_takes_the_service_out_of_serving_and_ends_it(
    toy: Server, command: str, cause: str
) -> None:
    async with opened(TOY, toy.target) as stream, connected(toy.target) as channel:
        await stream.send(text={"turn_id": 1, "text": command})
        statuses = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=TOY.full_name), timeout=2
        )
        async for status in statuses:
            if status.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                break
        else:
            pytest.fail("health still says SERVING after 2 s")
    assert await asyncio.to_thread(toy.process.wait, 5) == EXIT_ENGINE_LOST
    assert "engine_lost" in toy.log()
    assert cause in toy.log()


async def test_a_turn_that_outlasts_the_drain_is_cut(toy: Server) -> None:
    async with opened(TOY, toy.target) as stream:
        await stream.send(text={"turn_id": 1, "text": "hang"})
        toy.process.send_signal(signal.SIGTERM)
        await stream.until(lambda one: one.WhichOneof("response") == "going_away")
        failure = await stream.failure()
    assert failure.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert await asyncio.to_thread(toy.process.wait, 5) == 0


async def test_a_second_signal_cuts_the_drain_short(tmp_path: Path) -> None:
    with running(TOY, "tone", tmp_path, settings={"TTS_DRAIN_S": "60"}) as server:
        async with opened(TOY, server.target) as stream:
            await stream.send(text={"turn_id": 1, "text": "hang"})
            server.process.send_signal(signal.SIGTERM)
            await stream.until(lambda one: one.WhichOneof("response") == "going_away")
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.process.wait, 5) == 0


async def test_a_signal_while_loading_ends_the_process(tmp_path: Path) -> None:
    with running(TOY, "tone", tmp_path, settings={"TTS_LOAD_S": "60"}, is_awaited=False) as server:
        assert await health_of(server) == health_pb2.HealthCheckResponse.NOT_SERVING
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 5) == 0


async def test_the_figures_are_on_the_metrics_page(tmp_path: Path) -> None:
    port = free_port()
    with running(TOY, "tone", tmp_path, settings={"TTS_METRICS_PORT": str(port)}) as server:
        async with opened(TOY, server.target) as stream:
            await stream.send(TOY.request())
            await stream.send(text={"turn_id": 1, "text": "fail"})
            await stream.failure()
        async with opened(TOY, server.target):
            page = await asyncio.to_thread(metrics_page, port)
    for line in (
        'voice_open_streams{stage="tts"} 1.0',
        'voice_errors_total{reason="INTERNAL",stage="tts"} 1.0',
        'voice_unknown_requests_total{stage="tts"} 1.0',
    ):
        assert line in page
    assert 'voice_event_loop_lag_seconds_count{stage="tts"}' in page
    assert "voice_build_info{" in page


def metrics_page(port: int) -> str:
    """The metrics page, as Prometheus reads it."""
    return page(port, "metrics")[1]


def page(port: int, name: str, *, limit_s: float = 5.0) -> tuple[int, str]:
    """Status and text of a page of the monitoring server; status 0: no answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=limit_s) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


async def test_probes_tell_alive_from_serving(tmp_path: Path) -> None:
    port = free_port()
    settings = {"TTS_METRICS_PORT": str(port), "TTS_LOAD_S": "3", "TTS_DRAIN_S": "5"}
    with running(TOY, "tone", tmp_path, settings=settings, is_awaited=False) as server:
        async with asyncio.timeout(60):
            while (await asyncio.to_thread(page, port, "live"))[0] != 200:
                await asyncio.sleep(0.05)
        assert await asyncio.to_thread(page, port, "serving") == (503, "state: loading\n")
        wait_until_serving(server)
        assert await asyncio.to_thread(page, port, "ready") == (200, "ok\n")
        assert (await asyncio.to_thread(page, port, "nothing"))[0] == 404
        async with opened(TOY, server.target) as stream:
            await stream.send(text={"turn_id": 1, "text": "hang"})
            server.process.send_signal(signal.SIGTERM)
            await stream.until(lambda one: one.WhichOneof("response") == "going_away")
            assert (await asyncio.to_thread(page, port, "live"))[0] == 200, "a server that drains is alive"
            assert await asyncio.to_thread(page, port, "ready") == (503, "state: draining\n")


async def test_a_loop_that_hangs_fails_probes_and_scrape(tmp_path: Path) -> None:
    port = free_port()
    with running(TOY, "tone", tmp_path, settings={"TTS_METRICS_PORT": str(port)}) as server:
        async with opened(TOY, server.target) as stream:
            await stream.send(text={"turn_id": 1, "text": "block"})
            async with asyncio.timeout(20):
                while (await asyncio.to_thread(page, port, "live", limit_s=1.0))[0]:
                    await asyncio.sleep(0.1)
            for name in ("metrics", "ready", "serving"):
                assert (await asyncio.to_thread(page, port, name, limit_s=1.0))[0] == 0
            with socket.create_connection(("127.0.0.1", int(server.target.rpartition(":")[2])), timeout=2):
                pass  # the port takes connections all the while: a probe of the port sees nothing
            server.process.kill()


async def test_an_engine_that_hangs_is_not_ready_before_it_is_given_up(tmp_path: Path) -> None:
    port = free_port()
    with running(TOY, "tone", tmp_path, settings={"TTS_METRICS_PORT": str(port)}) as server:
        async with opened(TOY, server.target) as stream:
            await stream.send(text={"turn_id": 1, "text": "hang thread"})
            async with asyncio.timeout(10):
                while (answer := await asyncio.to_thread(page, port, "ready"))[0] == 200:
                    await asyncio.sleep(0.02)
    assert answer[0] in (0, 503)
    assert "engine toy: thread" in answer[1] or answer[0] == 0


async def test_the_monitoring_server_outlives_odd_clients(tmp_path: Path) -> None:
    port = free_port()
    with running(TOY, "tone", tmp_path, settings={"TTS_METRICS_PORT": str(port)}) as server:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        held[0].sendall(b"GET /" + b"x" * 100_000)
        held[1].sendall(b"\xff\xfe\r\n\r\n")
        held[2].sendall(b"POST /metrics HTTP/1.1\r\n\r\n")
        assert (await asyncio.to_thread(page, port, "ready"))[0] == 200
        for one in held:
            one.close()
        assert "Traceback" not in server.log()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        _, process = spawn(TOY, {}, tmp_path / "log", port=port)
        assert process.wait(timeout=30) == 1
    assert [line for line in (tmp_path / "log").read_text().splitlines() if "{" not in line] == [
        f"tts: cannot listen on 127.0.0.1:{port} ({os.strerror(errno.EADDRINUSE)}): "
        "stop the process that holds the port, or set another"
    ]


def test_a_taken_metrics_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        _, process = spawn(TOY, {"TTS_METRICS_PORT": str(holder.getsockname()[1])}, tmp_path / "log")
        assert process.wait(timeout=30) == 1
    [line] = [line for line in (tmp_path / "log").read_text().splitlines() if "{" not in line]
    assert "cannot serve metrics" in line


def test_an_engine_that_cannot_load_is_one_line(tmp_path: Path) -> None:
    _, process = spawn(TOY, {"TTS_LOAD_FAILURE": "no model: run make models"}, tmp_path / "log")
    assert process.wait(timeout=30) == 1
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if "{" not in line]
    assert lines == ["tts: no model: run make models"]


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    _, process = spawn(TOY, {"TTS_DRAIN_S": "soon"}, tmp_path / "log")
    assert process.wait(timeout=30) == 2
    [line] = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("TTS_DRAIN_S='soon': ")
