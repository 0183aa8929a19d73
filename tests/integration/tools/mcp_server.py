"""A real MCP server for the tests, in a process of its own: python mcp_server.py stdio | http PORT."""

import os
import sys
import time
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

server = MCPServer("rooms")
LOG = Path(os.environ.get("ROOMS_LOG", os.devnull))


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def free_rooms(nights: int) -> dict[str, int]:
    """The number of rooms that are free for so many nights."""
    return {"free": 10 - nights}


@server.tool()
def book_room(guest: str, key: str = "") -> str:
    """Books a room."""
    with LOG.open("a") as file:
        file.write(f"{guest} {key}\n")
    return f"booked for {guest}"


@server.tool()
def refuse(why: str) -> str:
    """Refuses."""
    raise ToolError(why)


@server.tool()
def whisper() -> str:
    """Says what it was given in its environment."""
    return os.environ.get("ROOMS_PASSWORD", "nothing") + " " + os.environ.get("NLU_TENANT_SECRETS", "nothing")


@server.tool()
def sleep(seconds: float) -> str:
    """Takes long."""
    time.sleep(seconds)
    return "slept"


@server.tool()
def die() -> str:
    """Ends the process."""
    os._exit(1)


@server.tool()
def flood() -> str:
    """Gives far too much."""
    return "x" * 200_000


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
