"""An OpenAPI 3 description read: each operation with its place, its parameters, its body and its answers. Sans-IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

import yaml

from services.nlu.tools.openapi.schema import DescriptionError, resolved, stand_alone
from services.runtime.json_text import read_json

_MOST_NODES = 1_000_000  # an alias of YAML stands for all that it names: a few of them are as much as anybody likes
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
SAFE = frozenset({"get", "head", "options"})
_JSON = ("application/json", "application/*+json", "*/*")
# Headers that are no argument: the first three by OpenAPI 3 (4.8.12.1), the others frame the request or show who asks.
_NO_PARAMETERS = frozenset(
    {"accept", "content-type", "authorization", "proxy-authorization", "cookie", "host", "connection", "expect", "te"}
    | {"content-length", "trailer", "transfer-encoding", "upgrade"}
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation; `place` is path, query or header."""

    name: str
    place: str
    explodes: bool  # of arrays in a query: a=1&a=2, else a=1,2


@dataclass(frozen=True, slots=True)
class Described:
    """One operation."""

    operation_id: str
    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    has_body: bool
    arguments: dict[str, Any]  # JSON schema: parameters by their names, the body under `body`
    answer: dict[str, Any] | None  # JSON schema of a success; None: it is not described

    @property
    def is_safe(self) -> bool:
        """Return whether the method by its definition changes nothing."""
        return self.method in SAFE


@dataclass(frozen=True, slots=True)
class Description:
    """Of one API. `schemes` are its security schemes by name."""

    server: str
    operations: dict[str, Described]
    schemes: dict[str, Mapping[str, Any]]


def read_description(text: str, *, found_at: str = "") -> Description:
    """JSON or YAML. `found_at` is its URL, for a server that is written relative to it. Raises DescriptionError."""
    document = _load(text)
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        raise DescriptionError("openapi: write a description of OpenAPI 3.0 or 3.1")
    paths = document.get("paths")
    if not isinstance(paths, Mapping):
        raise DescriptionError("paths: there are none")
    operations: dict[str, Described] = {}
    for path, listed in paths.items():
        item = resolved(document, listed)
        for method in METHODS:
            if isinstance(item, Mapping) and isinstance(item.get(method), Mapping):
                made = _operation(document, str(path), method, item)
                if made.operation_id in operations:
                    raise DescriptionError(f"paths.{path}.{method}: operationId {made.operation_id!r} is there twice")
                operations[made.operation_id] = made
    components = document.get("components", {})
    schemes = components.get("securitySchemes", {}) if isinstance(components, Mapping) else {}
    return Description(
        _server(document, found_at), operations, {str(k): resolved(document, v) for k, v in schemes.items()}
    )


def path_of(operation: Described, arguments: Mapping[str, Any]) -> str:
    """The path with its parameters, each escaped. Raises ValueError for one that would lead elsewhere."""
    path = operation.path
    for parameter in operation.parameters:
        if parameter.place == "path":
            value = str(arguments.get(parameter.name, ""))
            if value in {"", ".", ".."}:
                raise ValueError(f"{parameter.name}: {value!r} cannot stand in a path")
            path = path.replace("{" + parameter.name + "}", quote(value, safe=""))
    if any(segment in {".", ".."} for segment in path.split("/")):  # of two parameters side by side
        raise ValueError(f"{operation.path}: these values lead elsewhere")
    return path


def _load(text: str) -> Mapping[str, Any]:
    try:
        value = read_json(text) if text.lstrip()[:1] == "{" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise DescriptionError(f"neither JSON nor YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(value, Mapping):
        raise DescriptionError("no mapping")
    n_nodes, todo = 0, [value]
    while todo:
        each = todo.pop()
        n_nodes += 1
        if n_nodes > _MOST_NODES:
            raise DescriptionError(f"more than {_MOST_NODES} values lie in it")
        if isinstance(each, list | Mapping):
            todo += each.values() if isinstance(each, Mapping) else each
    return value


def _server(document: Mapping[str, Any], found_at: str) -> str:
    servers = document.get("servers") or [{"url": "/"}]
    first = servers[0] if isinstance(servers, list) and isinstance(servers[0], Mapping) else {}
    url = str(first.get("url", "/"))
    for name, variable in (first.get("variables") or {}).items():
        url = url.replace("{" + str(name) + "}", str(variable.get("default", "")))
    return urljoin(found_at, url).rstrip("/")


def _operation(document: Mapping[str, Any], path: str, method: str, item: Mapping[str, Any]) -> Described:
    described = item[method]
    default = f"{method}_{''.join(char if char.isalnum() else '_' for char in path)}".strip("_")
    operation_id = str(described.get("operationId", default))
    properties: dict[str, Any] = {}
    required: list[str] = []
    parameters: list[Parameter] = []
    seen: dict[tuple[str, str], Mapping[str, Any]] = {}
    for given in (*item.get("parameters", ()), *described.get("parameters", ())):
        each = resolved(document, given)
        seen[str(each.get("name")), str(each.get("in"))] = each
    for (name, place), each in seen.items():
        if place not in {"path", "query", "header"} or (place == "header" and name.lower() in _NO_PARAMETERS):
            continue
        schema = each.get("schema") or _first_schema(each.get("content"))
        properties[name] = {**_schema(schema), **_described(each)}
        parameters.append(Parameter(name, place, bool(each.get("explode", True))))
        if each.get("required") or place == "path":
            required.append(name)
    body = resolved(document, described.get("requestBody"))
    if isinstance(body, Mapping):
        properties["body"] = _schema(_body_schema(body, f"{path}.{method}"))
        if body.get("required"):
            required.append("body")
    whole = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Described(
        operation_id=operation_id,
        method=method,
        path=path,
        summary=str(described.get("summary") or described.get("description") or operation_id)[:500],
        parameters=tuple(parameters),
        has_body=isinstance(body, Mapping),
        arguments=stand_alone(document, whole),
        answer=_answer(document, described),
    )


def _answer(document: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any] | None:
    responses = described.get("responses") or {}
    for status in ("200", "201", "202", "2XX"):
        response = resolved(document, responses.get(status) or responses.get(int(status) if status.isdigit() else 0))
        content = response.get("content") if isinstance(response, Mapping) else None
        schema = _first_schema({kind: each for kind, each in (content or {}).items() if "json" in kind})
        if schema is not None:
            return stand_alone(document, schema)
    return None


def _body_schema(body: Mapping[str, Any], where: str) -> Any:
    content = body.get("content") or {}
    schema = next((content[kind].get("schema", {}) for kind in content if kind in _JSON or "json" in kind), None)
    if schema is None:
        raise DescriptionError(f"paths.{where}.requestBody: only JSON bodies can be sent")
    return schema


def _first_schema(content: Any) -> Any:
    media = next(iter(content.values()), None) if isinstance(content, Mapping) else None
    return media.get("schema") if isinstance(media, Mapping) else None


def _schema(schema: Any) -> dict[str, Any]:
    return dict(schema) if isinstance(schema, Mapping) else {}


def _described(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": str(parameter["description"])[:300]} if parameter.get("description") else {}
