"""One server process an engine, started when the first test asks for it and kept for the session."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from clients.conformance import streams
from clients.conformance.kit import again_where_a_status_is_lost
from clients.conformance.stages import CALL, NLU, STAGES, STT, TTS
from tests.conformance.servers import ENGINES, SCRIPTED, WITH_MODELS, Server, running

streams.LIMIT_S = 60.0  # the model engines share two cores with the rest of the suite
Start = Callable[[str, str], Server]
SERVER_FIXTURES = ("server", "scripted_server", "stt", "nlu", "tts")
"""Those whose parameter is a stage and its engine."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all, since gRPC's poller outlives a test; and one process for the tests of one server."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.obj = with_lost_statuses_tried_again(item.obj)
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        asked = next((parameters[name] for name in SERVER_FIXTURES if name in parameters), None)
        if asked is None and "engine" in parameters:
            asked = (parameters["stage"], parameters["engine"])
        if asked is None and "gateway" in getattr(item, "fixturenames", ()):
            asked = (CALL.name, SCRIPTED[CALL.name])
        if asked is not None:
            item.add_marker(pytest.mark.xdist_group(str(asked)))


def with_lost_statuses_tried_again(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A test of streams, which the client library may spoil as it may a check of the kit."""

    @functools.wraps(test)
    async def tried(**fixtures: Any) -> None:
        await again_where_a_status_is_lost(lambda: test(**fixtures))

    return tried


def engine_params(stage: str) -> list[object]:
    """Every engine of a stage; those that load a model carry the mark `models`."""
    return [
        pytest.param((stage, engine), id=f"{stage}-{engine}", marks=pytest.mark.models if engine in WITH_MODELS else [])
        for engine in ENGINES[stage]
    ]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server once a session, by stage and engine."""
    folder: Path = tmp_path_factory.mktemp("servers")
    servers: dict[tuple[str, str], Server] = {}
    with ExitStack() as stack:

        def start_once(stage: str, engine: str) -> Server:
            if (stage, engine) not in servers:
                backing: tuple[Server, ...] = ()
                settings: dict[str, str] = {}
                if stage == CALL.name:
                    backing = tuple(start_once(one.name, SCRIPTED[one.name]) for one in (STT, NLU, TTS))
                    settings = {"GATEWAY_GIVE_UP_S": "8"}  # 20 by default: tests would wait for nothing
                servers[stage, engine] = stack.enter_context(
                    running(STAGES[stage], engine, folder / f"{stage}-{engine}", settings=settings, backing=backing)
                )
            return servers[stage, engine]

        yield start_once


@pytest.fixture(params=[param for stage in STAGES for param in engine_params(stage)])
def server(request: pytest.FixtureRequest, start: Start) -> Server:
    """Every stage with every engine."""
    return start(*request.param)


@pytest.fixture(params=[pytest.param((stage, SCRIPTED[stage]), id=stage) for stage in STAGES])
def scripted_server(request: pytest.FixtureRequest, start: Start) -> Server:
    """Every stage once: for rules of the server, not of the engine."""
    return start(*request.param)


@pytest.fixture(params=engine_params("stt"))
def stt(request: pytest.FixtureRequest, start: Start) -> Server:
    return start(*request.param)


@pytest.fixture(params=engine_params("nlu"))
def nlu(request: pytest.FixtureRequest, start: Start) -> Server:
    return start(*request.param)


@pytest.fixture(params=engine_params("tts"))
def tts(request: pytest.FixtureRequest, start: Start) -> Server:
    return start(*request.param)


@pytest.fixture
def gateway(start: Start) -> Server:
    return start(CALL.name, SCRIPTED[CALL.name])
