"""The four services in one process: `python -m deploy.one_process`, for hosts that run one process a container.

The services, their settings, ports, health and metrics are the same as of four processes. The gateway reaches the
stages over UNIX sockets in a folder that only this user enters, unless a target of its settings leads elsewhere or it
speaks TLS to them. The log and the tracer are one, so their settings must agree; so is the fate of all: what ends one
service ends the process.
"""

import importlib
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.gateways import GatewayProcesses
from deploy.stack import SERVICES, Service, settings_of
from services.call_gateway.settings import GatewaySettings
from services.runtime.current_service import in_service
from services.runtime.errors import StartupError
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import SHARED_PREFIX, ServiceSettings, read_settings

OF_THE_PROCESS: Final = ("log_level", "log_format", "log_pii", "otlp_endpoint")
"""Settings that a process has once."""


def main() -> None:
    """Serve until told to stop."""
    settings = {service: settings_of(service) for service in SERVICES}
    with tempfile.TemporaryDirectory(prefix="tong-dai-") as folder:  # its mode is 0700
        try:
            check_one_process(settings)
            definitions = _define(settings, Path(folder))
        except StartupError as error:
            print(error, file=sys.stderr)
            raise SystemExit(1) from None
        run_services(*definitions)


def check_one_process(settings: Mapping[Service, ServiceSettings]) -> None:
    """Raise StartupError where the settings ask for what one process cannot be."""
    if (n_gateways := read_settings(GatewayProcesses).processes) > 1:
        raise StartupError(f"GATEWAY_PROCESSES={n_gateways}: one process holds one gateway; take one or the other")
    for name in OF_THE_PROCESS:
        values = {service.prefix: getattr(own, name) for service, own in settings.items()}
        if len(set(values.values())) > 1:
            said = ", ".join(f"{prefix}_{name.upper()}={value}" for prefix, value in values.items())
            raise StartupError(f"one process has one {name}, not {said}: set {SHARED_PREFIX}{name.upper()}")


def _define(settings: Mapping[Service, ServiceSettings], folder: Path) -> list[ServiceDefinition]:
    """The stages, then the gateway. Raises StartupError, which begins with the stage."""
    *stages, gateway = SERVICES
    sockets = {service: folder / f"{service.name}.sock" for service in stages}
    defined = [replace(_define_one(service, settings[service]), socket_path=sockets[service]) for service in stages]
    return [*defined, _define_one(gateway, _with_sockets(settings, gateway, sockets))]


def _define_one(service: Service, settings: ServiceSettings) -> ServiceDefinition:
    stage = service.full_name.split(".")[1]
    module = importlib.import_module(f"services.{service.name}.__main__")
    with in_service(stage):
        try:
            definition: ServiceDefinition = module.define(settings)
        except StartupError as error:
            raise StartupError(f"{stage}: {error}") from error
    return definition


def _with_sockets(
    settings: Mapping[Service, ServiceSettings], gateway: Service, sockets: Mapping[Service, Path]
) -> ServiceSettings:
    """The gateway's settings, with sockets for the targets that are not set or lead to this process anyhow."""
    own = settings[gateway]
    if isinstance(own, GatewaySettings) and own.stage_tls_ca_file is not None:
        return own
    targets = {}
    for service, path in sockets.items():
        name = f"{service.prefix.lower()}_target"
        stage = settings[service]
        if name not in own.model_fields_set or getattr(own, name) == f"{stage.host}:{stage.port}":
            targets[name] = f"unix:{path}"
    return own.model_copy(update=targets)


if __name__ == "__main__":
    main()
