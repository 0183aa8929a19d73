"""The package http: operations by their OpenAPI description, against a server that speaks it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.nlu.agent.tools import ToolRefused
from services.nlu.tools.packages import AgentPackages
from services.runtime.errors import NotServing, StartupError
from tests.integration.tools.opening import KEY, opened, run
from tests.integration.tools.rest_server import BUSY, CUT_JSON, DOWN, HTML, HUGE, SLOW, Reply, RestServer, Seen, serving
from tests.integration.waiting import throughout

DESCRIPTION = """
openapi: 3.0.3
info: {title: Rooms, version: "1"}
servers: [{url: "%s/v1"}]
paths:
  /hotels/{hotel}/rooms:
    parameters:
      - {name: hotel, in: path, required: true, schema: {type: string, maxLength: 20}}
    get:
      operationId: listRooms
      summary: Free rooms.
      parameters:
        - {name: beds, in: query, schema: {type: integer, minimum: 1, maximum: 4}}
        - {name: view, in: query, schema: {type: array, items: {type: string, enum: [sea, garden]}}}
        - {name: X-Language, in: header, schema: {type: string}}
      responses:
        "200":
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Rooms"}
  /bookings:
    post:
      operationId: book
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Booking"}
      responses:
        "201":
          content:
            application/json:
              schema: {type: object, required: [id], properties: {id: {type: string}}}
  /bookings/{id}:
    delete:
      operationId: cancel
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"204": {description: gone}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Rooms-Key}
  schemas:
    Rooms:
      type: object
      required: [rooms]
      properties:
        rooms: {type: array, items: {$ref: "#/components/schemas/Room"}}
    Room:
      type: object
      properties:
        number: {type: integer, minimum: 0, exclusiveMinimum: true}
        next: {allOf: [{$ref: "#/components/schemas/Room"}], nullable: true}
    Booking:
      type: object
      required: [guest]
      additionalProperties: false
      properties:
        guest: {type: string, minLength: 1}
        wish: {type: string, nullable: true}
"""
OPERATIONS = ["listRooms", "book", "cancel"]


class Rooms:
    """Fake API of rooms."""

    def __init__(self) -> None:
        self.booked: dict[str, Any] = {}

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/openapi.yaml":
            return Reply(text=DESCRIPTION % "", content_type="application/yaml")
        if seen.headers.get("X-Rooms-Key") != "k3y":
            return Reply({"title": "Unauthorized"}, status=401)
        if seen.method == "DELETE":
            return Reply(status=204)
        if seen.method == "POST":
            key = seen.headers.get("Idempotency-Key", str(len(self.booked)))
            self.booked[key] = seen.json
            return Reply({"id": key}, status=201)
        return Reply({"rooms": [{"number": 12, "next": None}]})


def package(where: str, **options: Any) -> dict[str, Any]:
    given = {"description": where, "operations": OPERATIONS, "timeout_s": 3, **options}
    return {"package": "http", "name": "rooms", "options": given}


def described(tmp_path: Path, url: str, text: str = DESCRIPTION) -> str:
    path = tmp_path / "rooms.yaml"
    path.write_text(text % url if "%s" in text else text)
    return str(path)


SECRETS = {"api_key": "k3y"}


@asynccontextmanager
async def rooms_tools(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[RestServer, AgentPackages]]:
    async with serving(Rooms()) as server:
        where = described(tmp_path, server.url)
        async with opened(tmp_path, package(where, **options), SECRETS) as tools:
            yield server, tools


async def test_an_operation_is_asked_as_its_description_says(tmp_path: Path) -> None:
    async with rooms_tools(tmp_path) as (server, tools):
        specs = {spec.name: spec for spec in tools.specs("acme")}
        assert [spec.writes for spec in specs.values()] == [False, True, True]
        schema = json.loads(specs["rooms_book"].parameters_json)
        assert schema["properties"]["body"] == {"$ref": "#/$defs/Booking"}
        found = await run(
            tools, "rooms_listRooms", hotel="a/b ?", beds=2, view=["sea", "garden"], **{"X-Language": "vi"}
        )
        assert found == {"rooms": [{"number": 12, "next": None}]}
        (seen,) = server.seen
        assert seen.path == "/v1/hotels/a/b ?/rooms"  # as aiohttp's server unescapes it
        assert seen.query["beds"] == "2"
        assert seen.headers["X-Language"] == "vi"
        booked = await run(tools, "rooms_book", body={"guest": "Anna", "wish": None})
        assert booked["result"] == {"id": "0"}
        assert server.seen[-1].json == {"guest": "Anna", "wish": None}
        assert (await run(tools, "rooms_cancel", key="b" * 32, id="0"))["status"] == "done"


async def test_a_description_is_fetched_and_its_server_may_be_relative(tmp_path: Path) -> None:
    async with (
        serving(Rooms()) as server,
        opened(tmp_path, package(f"{server.url}/openapi.yaml"), SECRETS) as tools,
    ):
        assert (await run(tools, "rooms_listRooms", hotel="h"))["rooms"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"hotel": "h", "beds": 9}, "beds"),
        ({"hotel": "h", "beds": "two"}, "beds"),
        ({"hotel": "h", "view": ["street"]}, "view"),
        ({"beds": 1}, "hotel"),
        ({"hotel": "h", "rate": 1}, "rate"),
        ({"hotel": ".."}, "hotel"),
        ({"hotel": "x" * 21}, "hotel"),
        ({"hotel": "h", "X-Language": "vi\r\nX-Admin: 1"}, "X-Language"),
    ],
)
async def test_wrong_arguments_are_told_and_nothing_is_asked(tmp_path: Path, arguments: Any, why: str) -> None:
    async with rooms_tools(tmp_path) as (server, tools):
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "rooms_listRooms", **arguments)
        assert server.seen == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (SLOW, "no answer within"),
        (HTML, "no JSON"),
        (CUT_JSON, "no JSON"),
        (HUGE, "more than 1048576 bytes"),
        (Reply({"rooms": "none"}), "otherwise than its description"),
        (Reply({"rooms": [{"number": 0}]}), "otherwise than its description"),
        (Reply({"rooms": [{"number": n + 1} for n in range(3000)]}), "more than 16384 bytes"),
        (Reply({"title": "no such hotel"}, status=404), "no such hotel"),
        (DOWN, "503"),
    ],
)
async def test_what_cannot_be_used_is_told_with_its_reason(tmp_path: Path, fault: Reply, why: str) -> None:
    async with rooms_tools(tmp_path, timeout_s=1) as (server, tools):
        server.faults = [fault] * 5
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "rooms_listRooms", hotel="h")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Reply({"id": "7", "success": "false", "reason": "full"}, status=201), "was not done"),
        (Reply({"id": "7", "status": "Failed"}), "was not done"),
        (Reply({"id": "7", "data": {"booked": False}}), "was not done"),
        (Reply({}), "not known"),
        (Reply([]), "not known"),
        (Reply({"id": "7"}, status=202), "not known"),
        (Reply(status=202), "not known"),
    ],
)
async def test_a_success_of_http_whose_answer_proves_nothing_is_no_deed(
    tmp_path: Path, answer: Reply, why: str
) -> None:
    async with rooms_tools(tmp_path) as (server, tools):
        server.faults = [answer]
        with pytest.raises(ToolRefused, match=why):
            await run(tools, "rooms_book", body={"guest": "Anna"})


async def test_a_post_with_a_key_header_is_sent_again_and_one_without_is_not(tmp_path: Path) -> None:
    rooms = Rooms()
    async with serving(rooms) as server:
        keyed = package(described(tmp_path, server.url), key_header="Idempotency-Key")
        async with opened(tmp_path, keyed, SECRETS) as tools:
            server.faults = [CUT_JSON, BUSY]
            assert (await run(tools, "rooms_book", body={"guest": "Anna"}))["result"] == {"id": KEY}
            assert len(server.of("POST")) == 3
        server.seen.clear()
        async with opened(tmp_path, package(described(tmp_path, server.url)), SECRETS) as tools:
            server.faults = [DOWN]
            with pytest.raises(ToolRefused, match="not known"):
                await run(tools, "rooms_book", key="c" * 32, body={"guest": "Bo"})
            await throughout(1.5, lambda: len(server.of("POST")) == 1, "it was sent again")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("openapi: 3.0.3", 'swagger: "2.0"'), "3.0 or 3.1"),
        (lambda text: "<html></html>", "neither JSON nor YAML|no mapping"),
        (lambda text: text.replace("operationId: book", "operationId: cancel"), "there twice"),
        (lambda text: text.replace("schemas/Booking", "schemas/Nothing"), "no such place"),
        (lambda text: text.replace("type: integer, minimum: 1", "type: wrong"), "schema"),
    ],
)
async def test_a_bad_description_is_one_line(tmp_path: Path, change: Any, why: str) -> None:
    where = described(tmp_path, "", change(DESCRIPTION.replace("%s", "http://127.0.0.1:9")))
    with pytest.raises(StartupError, match=why) as error:
        async with opened(tmp_path, package(where), SECRETS):
            pass
    assert "\n" not in str(error.value)


async def test_an_unknown_operation_names_those_there_are(tmp_path: Path) -> None:
    where = described(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(StartupError, match="no operation sing; there are book, cancel, listRooms"):
        async with opened(tmp_path, package(where, operations=["sing"]), SECRETS):
            pass


async def test_missing_credentials_keep_it_from_serving(tmp_path: Path) -> None:
    where = described(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(NotServing, match="rooms of tenant 'acme': there are no credentials"):
        async with opened(tmp_path, package(where), tenants=["acme"]):
            pass
