"""Settings of the gateway."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.call_gateway.conversation.settings import ConversationSettings
from services.call_gateway.edges.edge import EDGES
from services.call_gateway.quotas import Quotas, read_quotas
from services.call_gateway.stages.stream import StreamLimits
from services.runtime.channels import ChannelSettings
from services.runtime.errors import StartupError
from services.runtime.exposure import is_loopback_target, is_plain_and_far
from services.runtime.settings import ServiceSettings, service_config

LEAST_SETTLING_MS = 100  # from the caller's last word to the turn that is taken, at the least


class GatewaySettings(ServiceSettings):
    """Settings of stages, edges and conversations. Each edge has settings of its own beside it."""

    model_config = service_config("GATEWAY")

    port: int = Field(50051, ge=0, le=65535, description="TCP port of the gRPC server; 0 takes a free one.")
    metrics_port: int = Field(9101, ge=0, le=65535, description="TCP port of the Prometheus metrics; 0 serves none.")

    edges: str = Field("ari,program", description="Doors through which calls come, by comma: ari, program.")
    max_calls: int = Field(
        100,
        ge=1,
        description="Calls up at once, over all doors; one more is sent elsewhere. Lowered to what the stages serve.",
    )
    tenant_calls: str = Field(
        "",
        description="Most calls up at once of each tenant, as in clinic=20,*=50; * is each other one; empty: none.",
    )
    caller_calls: int = Field(
        0, ge=0, description="Most calls up at once of one caller's number to one tenant; 0: no quota."
    )
    agent_id: str = Field("", description="Agent of calls that name none; empty: the NLU stage's default.")
    language_codes: str = Field(
        "", description="BCP-47 tags callers may speak, likeliest first, by comma; empty: the agent's own."
    )

    stt_target: str = Field("127.0.0.1:50052", description="The STT stage, host:port or any gRPC name.")
    nlu_target: str = Field("127.0.0.1:50053", description="The NLU stage, host:port or any gRPC name.")
    tts_target: str = Field("127.0.0.1:50054", description="The TTS stage, host:port or any gRPC name.")
    stage_tls_ca_file: Path | None = Field(
        None, description="PEM certificates of those who sign the stages' servers; turns TLS to the stages on."
    )
    stage_tls_certificate_file: Path | None = Field(None, description="PEM certificate chain for the stages (mTLS).")
    stage_tls_key_file: Path | None = Field(None, description="PEM private key that belongs to it.")
    stage_token: SecretStr = Field(SecretStr(""), description="Bearer token sent to the stages; empty sends none.")
    stage_token_file: Path | None = Field(
        None, description="A file with that token in its place, as secrets are mounted; read again when it changes."
    )
    analysis_limit_s: float = Field(
        15.0,
        ge=0,
        le=120,
        description="Longest wait for the analysis of a call that is over, in seconds; 0: no call is analysed.",
    )
    webhook_url: str = Field(
        "", description="Where analyses of calls and summaries of hand-overs are posted; empty: nowhere."
    )
    webhook_secret: SecretStr = Field(SecretStr(""), description="Secret by which posts are signed (HMAC-SHA256).")
    webhook_secret_file: Path | None = Field(None, description="A file with that secret in its place.")
    webhook_file: Path | None = Field(
        None, description="Where posts that wait are kept, so that they outlive the process; empty: in memory only."
    )
    standby_lock_file: Path | None = Field(
        None,
        description="Of the processes that name the same file one serves; the others wait, loaded, until it is gone.",
    )
    first_response_s: float = Field(
        1.0, gt=0, le=10, description="Longest wait for a stage to open a call's stream, in seconds."
    )

    first_clause_s: float = Field(
        1.9, gt=0, le=10, description="Wait for the first words of an answer before the caller hears why, in seconds."
    )
    first_audio_s: float = Field(
        0.9, gt=0, le=10, description="Wait for the first sound of those words before the caller hears why, in seconds."
    )
    company_s: float = Field(
        5.0, ge=2, le=60, description="Between two phrases for a caller who waits for a stage, in seconds."
    )
    slow_stage_s: float = Field(
        8.0, gt=0, le=60, description="Wait for a stage that is late and says that it serves, in seconds, or more."
    )
    give_up_s: float = Field(
        20.0,
        gt=0,
        le=300,
        description="Longest wait for a stage that stays away, in seconds; then the call goes to the fallback.",
    )
    silence_prompt_s: float = Field(8.0, gt=0, description="Silence after which the caller is asked, in seconds.")
    wordless_end_s: float = Field(
        300.0,
        ge=0,
        description="Sound without a word (hold music, voicemail, a fax) that ends a call, in seconds; 0: never.",
    )
    max_call_s: float = Field(3600.0, gt=0, description="Longest call, in seconds; then a goodbye.")

    @field_validator("tenant_calls")
    @classmethod
    def _quotas_can_be_read(cls, text: str) -> str:
        read_quotas(text)
        return text

    @property
    def quotas(self) -> Quotas:
        """Return how many calls at once one tenant and one caller may have."""
        return Quotas(read_quotas(self.tenant_calls), self.caller_calls)

    @field_validator("edges")
    @classmethod
    def _edges_are_known(cls, edges: str) -> str:
        for name in _by_comma(edges):
            if name not in EDGES:
                raise ValueError(f"{name!r} is no edge: use any of {', '.join(sorted(EDGES))}")
        return edges

    @model_validator(mode="after")
    def _connections_outlast_calls(self) -> "GatewaySettings":
        if self.connection_grace_s <= self.max_call_s:
            raise ValueError(
                f"connection_grace_s {self.connection_grace_s:g} must be above max_call_s {self.max_call_s:g}: "
                "a call of an aged connection would be cut"
            )
        return self

    @model_validator(mode="after")
    def _credentials_for_the_stages_make_sense(self) -> "GatewaySettings":
        if (self.stage_tls_certificate_file is None) != (self.stage_tls_key_file is None):
            raise ValueError("stage_tls_certificate_file and stage_tls_key_file go together: set both or neither")
        if self.stage_tls_certificate_file is not None and self.stage_tls_ca_file is None:
            raise ValueError("stage_tls_certificate_file needs stage_tls_ca_file, which turns TLS to the stages on")
        if self.stage_token.get_secret_value() and self.stage_token_file is not None:
            raise ValueError("stage_token and stage_token_file: set one of them")
        return self

    @model_validator(mode="after")
    def _webhook_makes_sense(self) -> "GatewaySettings":
        if self.webhook_url and not _is_web_address(self.webhook_url):
            raise ValueError("webhook_url: write it as https://host/path")
        if self.webhook_url and not self.analysis_limit_s:
            raise ValueError("webhook_url needs analyses: set analysis_limit_s above 0")
        if self.webhook_file is not None and not self.webhook_url:
            raise ValueError("webhook_file needs webhook_url")
        if self.webhook_secret.get_secret_value() and self.webhook_secret_file is not None:
            raise ValueError("webhook_secret and webhook_secret_file: set one of them")
        return self

    def exposures(self) -> list[str]:
        """Return the exposures of every service, and what leaves for the stages or the webhook over plain text."""
        found = super().exposures()
        if self.webhook_url and is_plain_and_far(self.webhook_url):
            host = urlsplit(self.webhook_url).hostname  # without its path, which often holds a secret
            found.append(f"webhook_url http://{host}: summaries go there unencrypted: use https")
        if self.stage_tls_ca_file is not None:
            return found
        for name in ("stt_target", "nlu_target", "tts_target"):
            target = getattr(self, name)
            if not is_loopback_target(target):
                has_token = self.stage_token.get_secret_value() or self.stage_token_file
                what = "the bearer token and calls go" if has_token else "calls go"
                found.append(f"{name} {target}: {what} there over plain text: set GATEWAY_STAGE_TLS_CA_FILE")
        return found

    def read_webhook_secret(self) -> str:
        """The secret of the webhook, else that of its file; empty: there is none. Raises StartupError."""
        if self.webhook_secret_file is None:
            return self.webhook_secret.get_secret_value()
        try:
            secret = self.webhook_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StartupError(f"GATEWAY_WEBHOOK_SECRET_FILE={self.webhook_secret_file} cannot be read") from error
        if not secret:  # posts would go out unsigned without a notice
            raise StartupError(f"GATEWAY_WEBHOOK_SECRET_FILE={self.webhook_secret_file} is empty")
        return secret

    @property
    def edge_names(self) -> tuple[str, ...]:
        return _by_comma(self.edges)

    @property
    def languages(self) -> tuple[str, ...]:
        return _by_comma(self.language_codes)

    @property
    def stage_channel(self) -> ChannelSettings:
        """The settings of the channels to the stages."""
        return ChannelSettings(
            tls_ca_file=self.stage_tls_ca_file,
            tls_certificate_file=self.stage_tls_certificate_file,
            tls_key_file=self.stage_tls_key_file,
            token=self.stage_token.get_secret_value(),
            token_file=self.stage_token_file,
            allow_insecure=self.allow_insecure,
        )

    @property
    def stream_limits(self) -> StreamLimits:
        """The time limits of a stage."""
        return StreamLimits(first_response_s=self.first_response_s)

    @property
    def conversation(self) -> ConversationSettings:
        """The limits of a conversation."""
        return ConversationSettings(
            first_clause_limit_ms=round(self.first_clause_s * 1000),
            first_audio_limit_ms=round(self.first_audio_s * 1000),
            dead_air_limit_ms=round((self.first_clause_s + self.first_audio_s) * 1000) + LEAST_SETTLING_MS,
            company_ms=round(self.company_s * 1000),
            slow_limit_ms=round(self.slow_stage_s * 1000),
            give_up_ms=round(self.give_up_s * 1000),
            silence_prompt_ms=round(self.silence_prompt_s * 1000),
            wordless_end_ms=round(self.wordless_end_s * 1000),
            max_call_s=self.max_call_s,
        )


class SharedStages(BaseSettings):
    """The processes that share the stages. GATEWAY_PROCESSES is a setting of the deployment, and described there."""

    model_config = service_config("GATEWAY")

    processes: int = Field(1, ge=1, description="Gateway processes that share the stages.")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, a bracket that is not closed
        return False


def _by_comma(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
