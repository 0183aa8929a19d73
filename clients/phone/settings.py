"""The settings of `make call`."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from clients.phone.scenarios import SCENARIOS, Scenario
from deploy.gateways import GatewayProcesses, apart
from services.runtime.channels import ChannelSettings
from services.runtime.exposure import is_loopback_target

_SCENARIO_NAMES = ", ".join(SCENARIOS)
_EXTENSIONS = {"en-US": 1000, "vi-VN": 1001}


class PhoneSettings(BaseSettings):
    """Read from PHONE_<FIELD>; WAV, EDGE and SCENARIO go without the prefix, as `make call` writes them."""

    model_config = SettingsConfigDict(
        env_prefix="PHONE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    wav: str = Field(
        "",
        validation_alias=AliasChoices("WAV", "PHONE_WAV"),
        description="WAV files to speak instead of the recorded questions, by comma: 16 bit, 8, 16, 24 or 48 kHz.",
    )
    edge: Literal["sip", "grpc"] = Field(
        "sip",
        validation_alias=AliasChoices("EDGE", "PHONE_EDGE"),
        description="sip: a real call through Asterisk; grpc: ConnectCall, without Asterisk.",
    )
    scenario: str = Field(
        "",
        validation_alias=AliasChoices("SCENARIO", "PHONE_SCENARIO"),
        description=f"Empty: a plain conversation; or one of {_SCENARIO_NAMES}.",
    )
    language: Literal["en-US", "vi-VN"] = Field("en-US", description="Language of the recorded questions.")
    number: str = Field(
        default_factory=lambda fields: f"sip:{_EXTENSIONS.get(fields.get('language'), 1000)}@127.0.0.1:15060",
        description="What the SIP phone dials; unset: the extension of `make pbx` that answers in PHONE_LANGUAGE.",
    )
    gateway: str = Field(
        "127.0.0.1:50051",
        description="The gateway's gRPC address; that of the first process where GATEWAY_PROCESSES is more than 1.",
    )
    tls_ca_file: Path | None = Field(
        None, description="PEM certificates of those who sign the gateway's; turns TLS to it on."
    )
    token: SecretStr = Field(
        SecretStr(""), description="Bearer token for the gateway, with the scopes connect and watch; empty sends none."
    )
    diary: Path = Field(
        Path("out/data/clinic/diary.sqlite"),
        description="Where SCENARIO=booking looks afterwards: the diary of the agent that answers, on this machine.",
    )
    out: Path = Field(Path("out/call"), description="Folder of the recordings.")
    sip_port: int = Field(15070, ge=1024, le=65535, description="The phone's own SIP port, on loopback.")
    rtp_first: int = Field(32000, ge=1024, le=65534, description="First port of the phone's media.")
    rtp_last: int = Field(32099, ge=1025, le=65535, description="Last port of the phone's media.")

    @field_validator("number")
    @classmethod
    def _is_sip_address(cls, number: str) -> str:
        if not number.startswith(("sip:", "sips:")) or "@" not in number:
            raise ValueError("must be a SIP address: sip:1001@127.0.0.1:15060")
        return number

    @field_validator("gateway")
    @classmethod
    def _gateway_has_a_port(cls, gateway: str) -> str:
        if not gateway.rpartition(":")[2].isdigit():
            raise ValueError("must be host:port")
        return gateway

    @field_validator("scenario")
    @classmethod
    def _scenario_is_known(cls, scenario: str) -> str:
        if scenario not in {"", "plain", *SCENARIOS}:
            raise ValueError(f"no such scenario: use one of plain, {_SCENARIO_NAMES}")
        return scenario

    @model_validator(mode="after")
    def _line_can_do_it(self) -> "PhoneSettings":
        if self.edge == "grpc" and self.shown is not None and self.shown.needs_phone:
            raise ValueError(f"SCENARIO={self.scenario} needs a telephone: leave EDGE=grpc away")
        return self

    @model_validator(mode="after")
    def _token_does_not_go_over_plain_text(self) -> "PhoneSettings":
        if self.token.get_secret_value() and self.tls_ca_file is None and not is_loopback_target(self.gateway):
            raise ValueError(f"PHONE_TOKEN would go to {self.gateway} over plain text: set PHONE_TLS_CA_FILE")
        return self

    @property
    def channel(self) -> ChannelSettings:
        """The settings of the channel to the gateway."""
        return ChannelSettings(tls_ca_file=self.tls_ca_file, token=self.token.get_secret_value())

    @property
    def shown(self) -> Scenario | None:
        """The scenario; None: a plain conversation."""
        return SCENARIOS.get(self.scenario)

    @property
    def gateways(self) -> tuple[str, ...]:
        """Every gateway process: a SIP call may come to any of them."""
        host, _, port = self.gateway.rpartition(":")
        return tuple(f"{host}:{apart(int(port), n)}" for n in range(1, GatewayProcesses().processes + 1))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the caller says, in order."""
        if self.wav:
            return tuple(Path(part.strip()) for part in self.wav.split(",") if part.strip())
        return tuple(sorted((Path(__file__).parent / "questions").glob(f"{self.language}-*.wav")))
