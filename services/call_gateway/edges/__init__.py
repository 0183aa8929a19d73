"""The edges, through which calls come."""

from collections.abc import Iterable
from importlib import import_module

from services.call_gateway.edges.edge import EDGES, Edge
from services.call_gateway.edges.pacing import Pacer
from services.runtime.settings import read_settings

_SETTINGS: dict[str, str] = {"ari": "services.call_gateway.edges.ari.settings:AriSettings"}
"""Edges with settings of their own."""


def check_edge_settings(names: Iterable[str]) -> None:
    """Read the settings of these edges before anything is started; a bad one ends the process with a line."""
    for name in names:
        if name in _SETTINGS:
            read_settings(_load(_SETTINGS[name]))


def open_edge(name: str, pacer: Pacer) -> Edge:
    """The edge of that name, with its settings. Raises StartupError; a bad setting ends the process with a line."""
    edge_class = _load(EDGES[name])
    edge: Edge = edge_class(read_settings(_load(_SETTINGS[name])), pacer) if name in _SETTINGS else edge_class(pacer)
    return edge


def _load(place: str) -> type:
    module, _, name = place.partition(":")
    loaded: type = getattr(import_module(module), name)
    return loaded
