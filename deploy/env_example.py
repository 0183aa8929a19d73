"""Prints `.env.example` from the settings themselves: `python -m deploy.env_example > .env.example`."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from clients.phone.settings import PhoneSettings
from deploy.asterisk.pbx import PbxSettings
from deploy.gateways import GatewayProcesses
from deploy.settings import StackSettings
from deploy.stack import SERVICES
from services.runtime.settings import SHARED_PREFIX, ServiceSettings

_ROOT = Path(__file__).parents[1]
_COMMANDS: dict[str, type[BaseSettings]] = {
    "make run-stack, make pbx and make call": GatewayProcesses,
    "make pbx": PbxSettings,
    "make call": PhoneSettings,
}
_HEAD = """\
# Every setting there is, with its default. Copy this file to .env and take the # off what you change.
# The process's environment wins over .env. Made by: python -m deploy.env_example > .env.example
"""
_SHARED_HEAD = """
# All services. TONG_DAI_<NAME> holds for all four; STT_, NLU_, TTS_ or GATEWAY_<NAME> for one of them, and wins.
"""


def env_example() -> str:
    """The whole file."""
    shared = {
        name: field for name, field in ServiceSettings.model_fields.items() if name not in {"port", "metrics_port"}
    }
    own = {name: field for name, field in StackSettings.model_fields.items() if name not in shared}
    lines = [_HEAD, _SHARED_HEAD, *_entries(SHARED_PREFIX, shared)]
    lines += ["\n# make run-stack, make models\n", *_entries(SHARED_PREFIX, own)]
    for command, settings in _COMMANDS.items():
        lines += [f"\n# {command}\n", *_entries(str(settings.model_config.get("env_prefix")), settings.model_fields)]
    for service in SERVICES:
        lines.append(f"\n# {service.name}\n")
        for kind in _settings_classes(service.name):
            fields = {name: field for name, field in kind.model_fields.items() if _is_own(name, field, shared)}
            lines += _entries(str(kind.model_config.get("env_prefix")), fields)
    return "".join(lines)


def _settings_classes(service: str) -> Iterator[type[BaseSettings]]:
    """Every settings class of a service, its own before those of its parts."""
    for path in sorted((_ROOT / "services" / service).rglob("settings.py"), key=lambda path: (len(path.parts), path)):
        module = importlib.import_module(".".join(path.relative_to(_ROOT).with_suffix("").parts))
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module.__name__:
                yield value


def _is_own(name: str, field: FieldInfo, shared: Mapping[str, FieldInfo]) -> bool:
    """Return whether a service has the field for itself, or gives a shared one another default."""
    return name not in shared or field.default != shared[name].default


def _entries(prefix: str, fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    defaults: dict[str, Any] = {}  # of the fields before: one's default may follow from another's
    for name, field in fields.items():
        alias = field.validation_alias
        own_name = f"{prefix}{name.upper()}"
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else own_name
        defaults[name] = field.get_default(call_default_factory=True, validated_data=defaults)
        yield f"# {field.description}\n#{variable}={_shown(defaults[name])}\n"


def _shown(default: Any) -> str:
    """A default as one would write it."""
    match default:
        case None:
            shown = ""
        case bool():
            shown = str(default).lower()
        case SecretStr():
            shown = default.get_secret_value()
        case Path() if default.is_relative_to(_ROOT):
            shown = str(default.relative_to(_ROOT))
        case dict():
            shown = ",".join(f"{key}={_shown_entry(value)}" for key, value in default.items())
        case list() | tuple() | set() | frozenset():
            shown = ",".join(str(item) for item in default)
        case _:
            shown = str(default)
    return shown


def _shown_entry(value: Any) -> str:
    """An engine, or a chain of engines that stand in for one another."""
    return ">".join(value) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    print(env_example(), end="")
