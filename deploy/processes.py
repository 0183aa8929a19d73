"""The processes of `make run-stack`: one a service, and as many gateways as GATEWAY_PROCESSES says; or one for all."""

from dataclasses import dataclass
from typing import Final

from deploy.gateways import GatewayProcesses, gateway_processes
from deploy.one_process import check_one_process
from deploy.stack import SERVICES, Service, settings_of
from services.call_gateway.edges.ari.settings import AriSettings
from services.runtime.errors import StartupError
from services.runtime.settings import ServiceSettings, read_settings

STACK: Final = "stack"
"""The process that is all services, in supervisor's words."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a service, or a service's part in the one process."""

    service: Service
    name: str  # for people
    supervised_name: str
    settings: ServiceSettings


def stack_processes() -> tuple[Process, ...]:
    """All of them, in the order they are started. Raises StartupError: there are not ports enough for the gateways."""
    *models, gateway = SERVICES
    return (*(Process(each, each.name, each.name, settings_of(each)) for each in models), *_gateways(gateway))


def one_process() -> tuple[Process, ...]:
    """The four services, all in the process "stack". Raises StartupError: the settings ask for more than one."""
    processes = tuple(Process(each, each.name, STACK, settings_of(each)) for each in SERVICES)
    check_one_process({each.service: each.settings for each in processes})
    return processes


def _gateways(service: Service) -> tuple[Process, ...]:
    settings = settings_of(service)
    n_processes = read_settings(GatewayProcesses).processes
    try:
        derived = gateway_processes(n_processes, settings, read_settings(AriSettings))
    except ValueError as error:
        raise StartupError(str(error)) from None
    processes = []
    for each in derived:
        name = f"{service.name}-{each.number}"
        own = settings.model_copy(update={"port": each.port, "metrics_port": each.metrics_port})
        processes.append(Process(service, service.name if n_processes == 1 else name, name, own))
    return tuple(processes)
