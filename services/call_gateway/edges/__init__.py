"""The edges, through which calls come."""

from collections.abc import Iterable
from importlib import import_module

from services.call_gateway.edges.edge import EDGES, Edge
from services.call_gateway.edges.pacing import Pacer
from services.runtime.settings import read_settings


def check_edge_settings(names: Iterable[str]) -> None:
    """Read the settings of these edges before anything is started; a bad one ends the process with a line."""
    for name in names:
        if EDGES[name].settings:
            read_settings(_load(EDGES[name].settings))


def open_edge(name: str, pacer: Pacer) -> Edge:
    """The edge of that name, with its settings. Raises StartupError; a bad setting ends the process with a line."""
    place = EDGES[name]
    edge_class = _load(place.edge)
    edge: Edge = edge_class(read_settings(_load(place.settings)), pacer) if place.settings else edge_class(pacer)
    return edge


def _load(place: str) -> type:
    module, _, name = place.partition(":")
    loaded: type = getattr(import_module(module), name)
    return loaded
