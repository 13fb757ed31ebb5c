# -*- test-case-name: tests.emulator.test_websearch -*-
"""The emulator's MCP endpoint: one tool that finds invented pages.

Must not know HTTP. Wire: JSON-RPC 2.0; a failure is a JSON-RPC error within HTTP 200; the results
of web_search are JSON text inside a text block.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from kiro2api.emulator.answers import digest

_TOOL = {
    "name": "web_search",
    "description": "Finds pages, none of which exist.",
    "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    },
}


def respond(message: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON-RPC response to one message."""
    method = message.get("method")
    params = message.get("params") or {}
    if message.get("jsonrpc") != "2.0" or message.get("id") is None:
        return _error(message, -32600, "Invalid Request")
    if method == "initialize":
        result: dict[str, Any] = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "kiro2api-emulator", "version": "1"},
        }
    elif method == "notifications/initialized":
        result = {}
    elif method == "tools/list":
        result = {"tools": [_TOOL]}
    elif method != "tools/call":
        return _error(message, -32601, "Method not found")
    elif params.get("name") != "web_search":
        return _error(message, -32602, "Tool not found")
    else:
        query = (params.get("arguments") or {}).get("query")
        if not isinstance(query, str) or not query:
            return _error(message, -32602, "web_search needs a query")
        text = msgspec.json.encode(_found(query)).decode()
        result = {"content": [{"type": "text", "text": text}], "isError": False}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _found(query: str) -> dict[str, Any]:
    mark = digest(query)
    results = [
        {
            "title": f"{query}: finding {number}",
            "url": f"https://pages.example.invalid/{mark}/{number}",
            "snippet": f"What the emulator invented about {query}, part {number}.",
            "publishedDate": 1_700_000_000_000 + number * 86_400_000,
            "id": f"{mark}-{number}",
            "domain": "pages.example.invalid",
            "maxVerbatimWordLimit": 30,
            "publicDomain": False,
        }
        for number in (1, 2, 3)
    ]
    return {"results": results, "totalResults": len(results), "query": query, "error": None}


def _error(message: Mapping[str, Any], code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": code, "message": text}}
