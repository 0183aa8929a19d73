"""Tools of MCP servers (https://modelcontextprotocol.io), by the official client."""
