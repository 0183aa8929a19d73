"""JSON of clients, models and other servers (RFC 8259): whatever is wrong with it is one kind of error."""

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError, also for one that nests deeper than Python's stack."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the JSON text nests too deep") from error
