"""Become one of the gateway processes: `python -m deploy.gateway_process 2`, or its standby: `... 2 --standby`.

Supervisor starts each of them so. A process and its standby are alike but for the standby's wait at first: it
starts when the other serves, to leave it the machine. Who of them dies later waits, when it is back, for the other.
"""

import os
import socket
import sys
import time
from pathlib import Path

from deploy.gateways import GatewayProcesses, gateway_processes
from deploy.stack import reachable
from services.call_gateway.edges.ari.settings import AriSettings
from services.call_gateway.settings import GatewaySettings
from services.runtime.settings import read_settings

_LOOK_EVERY_S = 0.25


def main() -> None:
    """Does not return. Raises ValueError where the ports do not suffice."""
    number, *options = sys.argv[1:]
    gateways, settings = read_settings(GatewayProcesses), read_settings(GatewaySettings)
    own = gateway_processes(gateways.processes, settings, read_settings(AriSettings))[int(number) - 1]
    environment = {**os.environ, **own.environment} if gateways.processes > 1 else dict(os.environ)
    if gateways.standby and settings.standby_lock_file is None:
        lock_file = Path(os.environ["TONG_DAI_RUN"]) / f"call_gateway-{number}.lock"
        environment["GATEWAY_STANDBY_LOCK_FILE"] = str(lock_file)
    if "--standby" in options:
        wait_until_listening(settings.host, own.port)
    os.execve(sys.executable, [sys.executable, "-m", "services.call_gateway"], environment)  # noqa: S606


def wait_until_listening(host: str, port: int) -> None:
    """Return when somebody listens there."""
    while True:
        try:
            socket.create_connection((reachable(host), port), timeout=1).close()
        except OSError:
            time.sleep(_LOOK_EVERY_S)
        else:
            return


if __name__ == "__main__":
    main()
