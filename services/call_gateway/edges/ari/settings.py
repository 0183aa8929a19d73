"""Settings of the Asterisk edge."""

import re
import ssl
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.errors import StartupError
from services.runtime.exposure import is_loopback
from services.runtime.settings import refuse_exposures

DEFAULT_PASSWORD = "tong-dai"  # noqa: S105 - of `make pbx`, on loopback

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}")


def _address(field: str, host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is given as, None for a name. Raises ValueError: it is neither."""
    try:
        return ip_address(host)
    except ValueError:
        if _HOST_NAME.fullmatch(host) and not host.replace(".", "").isdigit():
            return None
        raise ValueError(f"{field} {host!r} is no IP address or host name: without a port or brackets") from None


class AriSettings(BaseSettings):
    """The settings of the ARI edge. The defaults fit `make pbx`."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_ARI_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        str_strip_whitespace=True,
        populate_by_name=True,
    )

    url: str = Field("http://127.0.0.1:8088", description="Asterisk's HTTP server; https and a path prefix may be.")
    user: str = Field("tong-dai", description="User in Asterisk's ari.conf.")
    password: SecretStr = Field(SecretStr(DEFAULT_PASSWORD), description="That user's password.")
    password_file: Path | None = Field(
        None, description="A file with that password in its place; read again when it changes."
    )
    app: str = Field(
        "tong-dai", pattern=r"^[A-Za-z0-9_-]{1,40}$", description="ARI application; each gateway process needs its own."
    )
    allow_insecure: bool = Field(
        False,
        validation_alias=AliasChoices("TONG_DAI_ALLOW_INSECURE", "GATEWAY_ALLOW_INSECURE"),
        description="Leave loopback without TLS and tokens all the same; warned of each minute.",
    )
    tls_ca_file: Path | None = Field(
        None, description="PEM certificates to verify Asterisk's with; unset: the system's."
    )
    tls_verify: bool = Field(True, description="Whether Asterisk's certificate is verified; false only for a test.")
    request_limit_s: float = Field(5.0, gt=0, le=60, description="Longest wait for one answer of Asterisk, in seconds.")
    codec: Literal["ulaw", "alaw", "g722"] = Field(
        "ulaw", description="Payload between Asterisk and the gateway; the trunk's own saves a transcoding."
    )
    media_host: str = Field("127.0.0.1", description="Local address RTP is received on; 0.0.0.0 or :: for every one.")
    media_advertised_host: str = Field(
        "", description="Address Asterisk sends RTP to, behind NAT another than the local one; empty: media_host."
    )
    rtp_first_port: int = Field(0, ge=0, le=65535, description="First UDP port for RTP; 0 takes any free one.")
    rtp_last_port: int = Field(0, ge=0, le=65535, description="Last UDP port for RTP.")
    tenant: str = Field("", description="Tenant of calls that do not set TONG_DAI_TENANT.")
    adopt_calls: bool = Field(
        True, description="Whether calls found without a session are taken on; else they go on in the dialplan."
    )
    transfer_context: str = Field("tong-dai-transfer", description="Dialplan context that transfers go to.")
    transfer_limit_s: float = Field(
        60.0, gt=0, le=600, description="Longest wait for a transferred caller to be taken or come back, in seconds."
    )
    fallback_context: str = Field("tong-dai-fallback", description="Dialplan context of calls not taken or held here.")
    hang_up_tail_ms: int = Field(
        100, ge=60, le=2000, description="From the last frame sent to the hang-up; less than 60 cuts the last word."
    )

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        if urlsplit(url).username is not None:
            raise ValueError("user and password have settings of their own, and would be logged with the URL")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _ports_are_a_range(self) -> "AriSettings":
        if self.rtp_first_port > self.rtp_last_port:
            raise ValueError("rtp_first_port must not be above rtp_last_port")
        return self

    @model_validator(mode="after")
    def _password_stands_once(self) -> "AriSettings":
        if self.password_file is not None and self.password.get_secret_value() != DEFAULT_PASSWORD:
            raise ValueError("password and password_file: set one of them")
        return self

    @model_validator(mode="after")
    def _media_can_be_reached(self) -> "AriSettings":
        if self.media_host in ("0.0.0.0", "::") and not self.media_advertised_host:  # noqa: S104 - the user's own wish
            raise ValueError(f"media_host {self.media_host} is no address to send to: set media_advertised_host too")
        bound = _address("media_host", self.media_host)
        told = _address("media_advertised_host", self.media_address)
        if told is not None and told.is_unspecified:
            raise ValueError(f"media_advertised_host {told} is no address to send to")
        takes_both = bound == IPv6Address("::")
        if bound is not None and told is not None and bound.version != told.version and not takes_both:
            raise ValueError(f"media_host {bound} takes no packets that are sent to media_advertised_host {told}")
        return self

    @model_validator(mode="after")
    def _nothing_is_exposed_unasked(self) -> "AriSettings":
        refuse_exposures(self.exposures(), is_allowed=self.allow_insecure)
        return self

    def exposures(self) -> list[str]:
        """Return what others than this machine could read or do, each with what closes it."""
        host = urlsplit(self.url).hostname or ""
        if is_loopback(host):
            return []
        found = []
        if not self.url.startswith("https://"):
            found.append(f"url {self.url} is not loopback: password and calls go there over plain text: use https")
        elif not self.tls_verify:
            found.append(f"url {self.url} is not loopback and tls_verify is off: anybody can stand in between")
        if self.password_file is None and self.password.get_secret_value() == DEFAULT_PASSWORD:
            found.append(f"url {self.url} is not loopback: set a password other than the default")
        return found

    def read_password(self) -> str:
        """The password as its file has it now, or its setting. Blocking. Raises StartupError: there is none, or it is
        the default one and Asterisk is on another machine.
        """
        if self.password_file is None:
            return self.password.get_secret_value()
        where = f"GATEWAY_ARI_PASSWORD_FILE={self.password_file}"
        try:
            password = self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StartupError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if not password:
            raise StartupError(f"{where} is empty")
        is_far = not is_loopback(urlsplit(self.url).hostname or "")
        if password == DEFAULT_PASSWORD and is_far and not self.allow_insecure:
            raise StartupError(f"{where} holds the default password, and {self.url} is not loopback: set another one")
        return password

    @property
    def media_address(self) -> str:
        """Return where Asterisk is told to send."""
        return self.media_advertised_host or self.media_host

    def tls(self) -> ssl.SSLContext | bool:
        """The TLS context that aiohttp verifies Asterisk with. Raises OSError when tls_ca_file cannot be read."""
        if not self.url.startswith("https://"):
            return True
        if not self.tls_verify:
            return False
        return ssl.create_default_context(cafile=None if self.tls_ca_file is None else str(self.tls_ca_file))
