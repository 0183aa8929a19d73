"""What `make call` can be told."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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
        "", validation_alias=AliasChoices("SCENARIO", "PHONE_SCENARIO"), description="Empty: a plain conversation."
    )
    number: str = Field("sip:1000@127.0.0.1:15060", description="What the SIP phone dials.")
    gateway: str = Field("127.0.0.1:50051", description="The gateway's gRPC address.")
    language: Literal["en-US", "vi-VN"] = Field("en-US", description="Language of the recorded questions.")
    out: Path = Field(Path("out/call"), description="Folder of the recordings.")
    sip_port: int = Field(15070, ge=1024, le=65535, description="The phone's own SIP port, on loopback.")
    rtp_first: int = Field(32000, ge=1024, le=65534, description="First port of the phone's media.")
    rtp_last: int = Field(32099, ge=1025, le=65535, description="Last port of the phone's media.")

    @field_validator("scenario")
    @classmethod
    def _scenario_is_known(cls, scenario: str) -> str:
        if scenario not in {"", "plain"}:
            raise ValueError("the only scenario so far is plain")
        return scenario

    @property
    def files(self) -> tuple[Path, ...]:
        """What the caller says, in order."""
        if self.wav:
            return tuple(Path(part.strip()) for part in self.wav.split(",") if part.strip())
        return tuple(sorted((Path(__file__).parent / "questions").glob(f"{self.language}-*.wav")))
