"""Tools that an MCP server lists: what their schemas say is read beside the loop, and breaks nothing."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from mcp_types import CallToolResult, Tool

from services.nlu.tools.mcp_servers.connection import McpConnection
from services.nlu.tools.mcp_servers.package import McpPackage, _value_of
from services.nlu.tools.package import PackageContext
from services.nlu.tools.rest.failures import BadAnswer

OPTIONS = McpPackage.Options(command=("server",), key_argument="key")
SLOW: dict[str, Any] = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(2000)}}


def package(*tools: Tool) -> McpPackage:
    made = McpPackage(OPTIONS, PackageContext("x", "desk", "desk", allow=("find", "odd")))
    connection: Any = SimpleNamespace(tools=tools)
    made._connections[""] = connection
    return made


def test_a_schema_that_is_none_takes_its_own_tool_away_and_no_other() -> None:
    odd = Tool(name="odd", input_schema={"properties": {"key": {}}, "required": 5})
    listed = package(odd, Tool(name="find", input_schema={"type": "object"})).operations()
    assert [operation.name for operation in listed] == ["find"]


def test_schemas_are_read_before_the_loop_sees_them_and_only_of_tools_that_are_allowed() -> None:
    tools = [Tool(name="find", input_schema=SLOW), *(Tool(name=f"t{n}", input_schema=SLOW) for n in range(50))]
    made = package(*tools)
    made._prepare(tools)
    began = time.process_time()
    listed = made.operations()
    assert time.process_time() - began < 0.5
    assert len(listed) == 51, "those that are not allowed have their names told at the start"


def test_a_number_that_is_a_secret_is_an_answer_that_cannot_be_read() -> None:
    connection: Any = McpConnection("desk", lambda: None, limit_s=1.0, hidden=("123456",))  # type: ignore[arg-type,return-value] # never opened
    with pytest.raises(BadAnswer, match="given to keep"):
        _value_of(CallToolResult(content=[], structured_content={"count": 1234567}), connection)
