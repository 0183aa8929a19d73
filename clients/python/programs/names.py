"""Values of enums as the programs print them."""

from typing import Any


def name_of(enum: Any, value: int, prefix: str) -> str:
    """The name of a value without its prefix; the number of one of a later version. `enum`: the generated wrapper."""
    return str(enum.Name(value)).removeprefix(prefix) if value in enum.values() else str(value)
