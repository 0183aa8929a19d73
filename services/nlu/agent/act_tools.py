"""The acts on a call that an agent's file allows, as a model is told of them: beside its tools, and in their form.

They are asked for like tools (acts.py reads them) and done by the gateway, which holds them to the file once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from services.nlu.agent.profile import AgentProfile
from services.nlu.engine import ToolSpec

_KEYS = r"^[0-9A-D*#]{1,64}$"


def act_tools(profile: AgentProfile) -> tuple[ToolSpec, ...]:
    """Return the act tools of one agent. A transfer lists its places, and is left out without a place; a change of
    language is left out where the agent has one language.
    """
    places = [place.name for place in profile.destinations]
    languages = list(profile.language_codes)
    found = {
        "hang_up": _spec("hang_up", "Ends the call. Say goodbye before it.", {}),
        "transfer": _spec(
            "transfer", "Puts the caller through. Tell them so before it.", {"destination": {"enum": places}}
        ),
        "send_dtmf": _spec(
            "send_dtmf", "Presses keys on the line, as for a menu.", {"digits": {"type": "string", "pattern": _KEYS}}
        ),
        "switch_language": _spec(
            "switch_language", "Goes on in another language.", {"language_code": {"enum": languages}}
        ),
    }
    is_idle = {"transfer": not places, "switch_language": len(languages) < 2}
    return tuple(spec for name, spec in found.items() if name in profile.acts and not is_idle.get(name, False))


def _spec(name: str, description: str, properties: Mapping[str, object]) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return ToolSpec(name, description, json.dumps({**schema, "required": list(properties)}, ensure_ascii=False))
