"""The settings that every service has, and how they are read.

A setting `drain_s` is `TTS_DRAIN_S` for one service and `TONG_DAI_DRAIN_S` for all; the first wins. The process's
environment wins over the file `.env` of the working directory.
"""

import os
import sys
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from services.runtime.exposure import ALLOW_INSECURE, is_loopback, without_userinfo

SHARED_PREFIX = "TONG_DAI_"

Settings = TypeVar("Settings", bound=BaseSettings)


def service_config(name: str) -> SettingsConfigDict:
    """The `model_config` of one service's settings; `name` is the prefix without its underscore, as in "TTS"."""
    return SettingsConfigDict(
        env_prefix=f"{name}_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        str_strip_whitespace=True,
    )


class ServiceSettings(BaseSettings):
    """The settings all four services share. Read once at the start, passed down, never changed."""

    model_config = service_config("SERVICE")

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; but for loopback it needs TLS, and tokens or clients' certificates.",
    )
    port: int = Field(0, ge=0, le=65535, description="TCP port of the gRPC server; 0 takes a free one.")
    metrics_host: str = Field("127.0.0.1", description="Address of the metrics and the probes; they hold no words.")
    metrics_port: int = Field(0, ge=0, le=65535, description="TCP port of the Prometheus metrics; 0 serves none.")
    allow_insecure: bool = Field(
        False, description="Leave loopback without TLS and tokens all the same; warned of each minute."
    )
    tls_certificate_file: Path | None = Field(None, description="PEM certificate chain of the server; turns TLS on.")
    tls_key_file: Path | None = Field(None, description="PEM private key that belongs to the certificate.")
    tls_client_ca_file: Path | None = Field(
        None, description="PEM certificates of those who sign clients; clients must then show one (mTLS)."
    )
    auth_tokens_file: Path | None = Field(
        None, description="TOML file of hashed bearer tokens, made by deploy.new_token; turns tokens on."
    )
    max_streams: int = Field(64, ge=1, description="Streams open at once on each streaming method; more are refused.")
    config_limit_s: float = Field(10.0, gt=0, description="Longest wait for the config of a stream, in seconds.")
    stream_idle_s: float = Field(
        1800.0, gt=0, description="A stream on which nothing passes for this long is ended, in seconds."
    )
    connection_age_s: float = Field(
        600.0, ge=1, description="Age at which clients are asked to connect again, so that they find new replicas."
    )
    connection_grace_s: float = Field(
        4200.0, ge=1, description="How long streams of an aged connection may go on; above the longest call."
    )
    max_message_bytes: int = Field(1 << 20, ge=1 << 12, description="Largest request taken, in bytes.")
    drain_s: float = Field(10.0, ge=0, description="How long open streams may go on after SIGTERM, in seconds.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level logged.")
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for a person.")
    log_pii: bool = Field(False, description="Whether what people say may be logged, under keys that begin with pii.")
    otlp_endpoint: str = Field("", description="OTLP/gRPC collector, http://127.0.0.1:4317; empty exports no traces.")
    drills: bool = Field(False, description="Whether TripProvider may take a provider out of service for a drill.")
    models_dir: Path = Field(
        Path("~/.cache/tong-dai/models"), validate_default=True, description="Folder of the embedded models."
    )

    @field_validator("models_dir")
    @classmethod
    def _home_is_expanded(cls, path: Path) -> Path:
        return path.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            EnvSettingsSource(settings_cls, env_prefix=SHARED_PREFIX),
            dotenv_settings,
            DotEnvSettingsSource(settings_cls, env_prefix=SHARED_PREFIX),
        )

    @model_validator(mode="after")
    def _certificate_and_key_go_together(self) -> "ServiceSettings":
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file go together: set both or neither")
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise ValueError("tls_client_ca_file needs tls_certificate_file and tls_key_file")
        return self

    @model_validator(mode="after")
    def _nothing_is_exposed_unasked(self) -> "ServiceSettings":
        refuse_exposures(self.exposures(), is_allowed=self.allow_insecure)
        return self

    def exposures(self) -> list[str]:
        """Return what other machines could reach or read, each with what closes it. A service adds its own."""
        if is_loopback(self.host):
            return []
        if self.tls_certificate_file is None:
            return [
                f"host {self.host} is not loopback: set {SHARED_PREFIX}TLS_CERTIFICATE_FILE and _TLS_KEY_FILE, and "
                f"{SHARED_PREFIX}AUTH_TOKENS_FILE or _TLS_CLIENT_CA_FILE"
            ]
        if self.auth_tokens_file is None and self.tls_client_ca_file is None:
            return [f"host {self.host} is not loopback: set {SHARED_PREFIX}AUTH_TOKENS_FILE or _TLS_CLIENT_CA_FILE"]
        return []


def refuse_exposures(exposures: list[str], *, is_allowed: bool) -> None:
    """Raise ValueError when there are any and the operator has not allowed them."""
    if exposures and not is_allowed:
        raise ValueError(f"{'; '.join(exposures)}; or set {ALLOW_INSECURE}=1 on a net of your own")


def read_settings(kind: type[Settings]) -> Settings:
    """Read the settings of one service, or of one part of it, or say on stderr which variable is wrong and exit with 2.

    One line a bad field: the variable, its value, what is wrong, what the setting means.
    """
    try:
        return kind()
    except ValidationError as error:
        for line in _complaints(kind, error):
            print(line, file=sys.stderr)
        raise SystemExit(2) from None


def _complaints(kind: type[BaseSettings], error: ValidationError) -> list[str]:
    prefix = str(kind.model_config.get("env_prefix", ""))
    lines = []
    for problem in error.errors():
        if not problem["loc"]:
            lines.append(f"{prefix}*: {problem['msg'].removeprefix('Value error, ')}")
            continue
        name = str(problem["loc"][0])
        field = kind.model_fields.get(name)
        meaning = f" ({field.description})" if field is not None and field.description else ""
        given = without_userinfo(repr(problem["input"]))
        lines.append(f"{_variable(prefix, name)}={given}: {problem['msg']}{meaning}")
    return lines


def _variable(prefix: str, name: str) -> str:
    """The variable a setting was read from, with the shared prefix where only that one is set."""
    own, shared = f"{prefix}{name.upper()}", f"{SHARED_PREFIX}{name.upper()}"
    return shared if own not in os.environ and shared in os.environ else own
