"""Become one of the gateway processes: `python -m deploy.gateway_process 2`. Supervisor starts each of them so."""

import os
import sys

from deploy.gateways import GatewayProcesses, gateway_processes
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.settings import GatewaySettings
from services.runtime.settings import read_settings


def main() -> None:
    """Does not return. Raises ValueError where the ports do not suffice."""
    processes = read_settings(GatewayProcesses).processes
    derived = gateway_processes(processes, read_settings(GatewaySettings), read_settings(AriSettings))
    environment = {**os.environ, **derived[int(sys.argv[1]) - 1].environment} if processes > 1 else dict(os.environ)
    os.execve(sys.executable, [sys.executable, "-m", "services.call_gateway"], environment)  # noqa: S606


if __name__ == "__main__":
    main()
