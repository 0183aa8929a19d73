"""Run the gateway: `python -m services.call_gateway`."""

import errno
import fcntl
import os
import signal
import sys
import threading
from pathlib import Path

from voice.call.v1.call_pb2_grpc import add_CallGatewayServiceServicer_to_server

from services.call_gateway.conversation.barge_in import backchannels, stop_commands
from services.call_gateway.edges import check_edge_settings
from services.call_gateway.gateway import Gateway
from services.call_gateway.prompts.recorded import shipped
from services.call_gateway.service import FULL_NAME, SCOPES, CallGatewayService
from services.call_gateway.settings import GatewaySettings
from services.runtime.errors import StartupError
from services.runtime.lifecycle import Lifecycle
from services.runtime.server import ServiceDefinition, run_services
from services.runtime.settings import read_settings


def define(settings: GatewaySettings) -> ServiceDefinition:
    """The gateway, ready to run. The settings of its edges are checked, and a bad one ends the program."""
    check_edge_settings(settings.edge_names)
    lifecycle = Lifecycle()
    gateway = Gateway(settings, lifecycle)
    service = CallGatewayService(gateway, lifecycle)
    return ServiceDefinition(
        settings,
        full_name=FULL_NAME,
        add=lambda server: add_CallGatewayServiceServicer_to_server(service, server),
        lifecycle=lifecycle,
        load=gateway.load,
        close=gateway.close,
        background=gateway.serve,
        drain=gateway.drained,
        scopes=SCOPES,
        ends_first=True,
    )


def main() -> None:
    """Read the settings and serve until told to stop; as a standby, not before the process that serves is gone."""
    settings = read_settings(GatewaySettings)
    definition = define(settings)
    if settings.standby_lock_file is not None:
        try:
            hold(settings.standby_lock_file)
        except StartupError as error:
            sys.exit(str(error))
    run_services(definition)


def hold(lock_file: Path) -> None:
    """Lock the file, after any process that holds it now, until this process ends and the kernel releases the lock. The
    slow parts of a gateway's start come before this, so that callers do not wait for them. Raises StartupError.
    """
    backchannels()
    stop_commands()
    shipped()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container ignores it else
    try:
        while not _is_held(lock_file):  # otherwise the name belongs to a new file, which another may hold
            pass
    except OSError as error:
        raise StartupError(f"GATEWAY_STANDBY_LOCK_FILE={lock_file} cannot be locked: {error.strerror}") from None


def _is_held(lock_file: Path) -> bool:
    """Lock the file that has the name now. False: the name belongs to another file by then. Raises OSError; a link is
    not followed, and a file of another user is refused, since that user could keep it locked.
    """
    descriptor = os.open(lock_file, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)  # closed by the process's end
    if os.fstat(descriptor).st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it belongs to another user")
    os.fchmod(descriptor, 0o600)  # who can read it can lock it
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        if os.path.samestat(os.fstat(descriptor), lock_file.lstat()):
            return True
    except FileNotFoundError:
        pass
    os.close(descriptor)
    return False


if __name__ == "__main__":
    main()
