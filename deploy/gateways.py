"""More than one gateway process on one machine, by one setting: what each of them is called and where it listens.

The first process has the ports as they are set; the others' follow from them, ten apart. With one process nothing is
derived at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PORT_STEP: Final = 10  # the ports between belong to the other services
RTP_FIRST: Final = 20_000  # where no range is set
RTP_PORTS: Final = 500  # of each process: one a call


class GatewayProcesses(BaseSettings):
    """The number of processes that share the calls."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    processes: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Gateway processes of make run-stack, one a core; make pbx divides its calls among them.",
    )
    standby: bool = Field(
        default=True,
        description="Whether make run-stack keeps a second process ready beside each gateway (90 MB), "
        "which takes its calls over as soon as that one is gone.",
    )


class Listening(Protocol):
    """The gateway's settings that are derived."""

    @property
    def port(self) -> int: ...
    @property
    def metrics_port(self) -> int: ...


class Answering(Protocol):
    """The Asterisk edge's settings that are derived."""

    @property
    def app(self) -> str: ...
    @property
    def rtp_first_port(self) -> int: ...
    @property
    def rtp_last_port(self) -> int: ...


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A gateway process."""

    number: int  # from 1
    port: int
    metrics_port: int  # 0: none
    app: str
    rtp_first_port: int
    rtp_last_port: int

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the settings of this process alone."""
        return {
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_METRICS_PORT": str(self.metrics_port),
            "GATEWAY_ARI_APP": self.app,
            "GATEWAY_ARI_RTP_FIRST_PORT": str(self.rtp_first_port),
            "GATEWAY_ARI_RTP_LAST_PORT": str(self.rtp_last_port),
        }


def applications(app: str, processes: int) -> tuple[str, ...]:
    """The ARI application of each process: the name as it stands for one, `<app>-1` and so on for more."""
    return (app,) if processes == 1 else tuple(f"{app}-{number}" for number in range(1, processes + 1))


def gateway_processes(processes: int, gateway: Listening, ari: Answering) -> tuple[GatewayProcess, ...]:
    """Every process. Raises ValueError: the ports set are too few, or run out."""
    if processes == 1:
        ports = (ari.rtp_first_port, ari.rtp_last_port)
        return (GatewayProcess(1, gateway.port, gateway.metrics_port, ari.app, *ports),)
    first, each = _rtp_share(processes, ari)
    derived = tuple(
        GatewayProcess(
            number=number,
            port=apart(gateway.port, number),
            metrics_port=apart(gateway.metrics_port, number),
            app=app,
            rtp_first_port=first + (number - 1) * each,
            rtp_last_port=first + number * each - 1,
        )
        for number, app in enumerate(applications(ari.app, processes), start=1)
    )
    if max(derived[-1].port, derived[-1].metrics_port) > 65535:
        raise ValueError(f"GATEWAY_PROCESSES={processes}: no ports are left above GATEWAY_PORT or GATEWAY_METRICS_PORT")
    return derived


def _rtp_share(processes: int, ari: Answering) -> tuple[int, int]:
    """First port of the first, and how many each gets."""
    if not ari.rtp_first_port:
        return RTP_FIRST, RTP_PORTS
    each = (ari.rtp_last_port - ari.rtp_first_port + 1) // processes
    if not each:
        raise ValueError(
            f"GATEWAY_PROCESSES={processes}: GATEWAY_ARI_RTP_FIRST_PORT to _LAST_PORT are fewer ports than that"
        )
    return ari.rtp_first_port, each


def apart(port: int, number: int) -> int:
    """The port of that process, where the first has `port`. 0 stays 0: a free one, or none."""
    return port + (number - 1) * PORT_STEP if port else 0
