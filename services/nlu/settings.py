"""Settings of the NLU stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from services.runtime.engine_chains import ANY, Chains, parse_chains
from services.runtime.errors import NotServing
from services.runtime.exposure import is_plain_and_far, without_userinfo
from services.runtime.loading import loading
from services.runtime.settings import ServiceSettings, service_config

_ROOT = Path(__file__).parents[2]

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]


class NluSettings(ServiceSettings):
    """Settings of the nlu service; each is the environment variable NLU_ and its name in capitals."""

    model_config = service_config("NLU")

    port: int = Field(50053, ge=0, le=65535, description="TCP port of the gRPC server; 0 takes a free one.")
    metrics_port: int = Field(9103, ge=0, le=65535, description="TCP port of the Prometheus metrics; 0 serves none.")

    engine: Literal["llama_cpp", "openai", "gemini", "transformers", "script"] = Field(
        "llama_cpp", description="The engine of every language; NLU_ENGINES says more."
    )
    engines: str = Field(
        "", description="Engines by language with their fallbacks, as in *=openai>llama_cpp; empty: engine alone."
    )
    first_token_limit_s: float = Field(
        2.5, gt=0, description="Chains: an engine whose first token is later fails, while another can take the turn."
    )
    token_gap_limit_s: float = Field(
        1.0, gt=0, description="Chains: the same for the time between two tokens of an answer."
    )
    slow_first_token_s: float = Field(
        2.0, gt=0, description="Chains: a first token later than this is slow; many slow ones open the breaker."
    )
    hedge_ms: int = Field(
        0, ge=0, description="Chains: ask the next engine as well when the first token is later than this; 0: never."
    )
    remote_stall_limit_s: float = Field(
        5.0, gt=0, description="openai, gemini: longest time without a byte from the server, in seconds."
    )
    agents_dir: Path = Field(_ROOT / "deploy" / "agents", description="Folder of the agents' YAML files.")
    agent_kind: str = Field(
        "",
        description="Kind of every agent in place of its file's: graph, prompt, or a factory 'package.module:name'.",
    )
    default_agent: str = Field("clinic", description="The agent that answers when a config names none.")

    max_turn_text_chars: int = Field(4000, ge=100, description="Longest text of a turn, in Unicode code points.")
    max_history_bytes: int = Field(16384, ge=1024, le=65536, description="Most bytes of history and state in a config.")
    turn_limit_s: float = Field(20.0, gt=0, description="Longest time a reply may take to make, in seconds.")
    draft_limit_s: float = Field(30.0, gt=0, description="Longest time a draft waits for its commit, in seconds.")
    tool_limit_s: float = Field(10.0, gt=0, description="Longest time one tool may run, in seconds.")
    tool_filler_ms: int = Field(
        600, ge=0, description="A tool slower than this has the agent say that it takes a moment."
    )
    tool_patience_ms: int = Field(5000, ge=500, description="Time between two phrases while a tool works on.")
    tool_result_chars: int = Field(
        2000, ge=200, description="Most characters of a tool's result that the model is shown; more is cut."
    )
    max_reply_sentences: int = Field(3, ge=1, description="Sentences after which a model's reply is ended.")
    first_phrase_words: int = Field(
        4, ge=0, description="Words after which an early clause may be cut before a phrase; 0: it is spoken whole."
    )
    max_prompt_chars: int = Field(6000, ge=500, description="Most characters of history shown to the model.")

    model: str = Field(
        "qwen2.5-0.5b-instruct",
        description="llama_cpp: a model of deploy/models.toml, or the path of a .gguf file.",
    )
    model_sha256: str = Field(
        "",
        pattern=r"^([0-9a-fA-F]{64}(,[0-9a-fA-F]{64})*)?$",
        description="llama_cpp: sha256 of a .gguf file given by its path, of a model in several files one of each, by "
        "comma; it is not loaded with any other. Empty: those in SHA256SUMS beside it, where there is one.",
    )
    threads: int = Field(0, ge=0, description="llama_cpp: threads that compute; 0: one for each usable CPU.")
    gpu_layers: int = Field(0, ge=-1, description="llama_cpp: layers on GPUs; -1: all of them.")
    context_tokens: int = Field(8192, ge=512, description="llama_cpp: tokens in memory, of all calls together.")
    slots: int = Field(48, ge=4, le=256, description="llama_cpp: token sequences kept apart; two a call and some.")
    batch_tokens: int = Field(512, ge=64, description="llama_cpp: most tokens in one step.")
    max_reply_tokens: int = Field(96, ge=8, description="llama_cpp: most tokens of one reply.")
    max_call_tokens: int = Field(
        256, ge=16, description="llama_cpp: most tokens of the calls of tools in one reply, beside its words."
    )
    reply_limit_s: float = Field(
        15.0,
        gt=0,
        description="llama_cpp, transformers: longest time of one reply; it ends with what it has said by then.",
    )
    temperature: float = Field(0.0, ge=0, le=2, description="0 always takes the likeliest token.")
    split_mode: Literal["layer", "row", "none"] = Field(
        "layer", description="llama_cpp: how the model is divided over GPUs; none: all on main_gpu."
    )
    tensor_split: Annotated[tuple[float, ...], NoDecode] = Field(
        (), description="llama_cpp: each GPU's share, as in 8/8/8/8/8/9; empty: equal parts."
    )
    main_gpu: int = Field(0, ge=0, description="llama_cpp: the GPU of split_mode none, and of small tensors in row.")
    type_k: CacheType = Field("f16", description="llama_cpp: type of the cache's keys: f16, q8_0 and others.")
    type_v: CacheType = Field(
        "f16", description="llama_cpp: type of the cache's values; quantised ones need flash attention."
    )
    flash_attn: Literal["auto", "on", "off"] = Field(
        "auto", description="llama_cpp: flash attention; auto: on GPUs where they can, off on CPUs."
    )
    n_ubatch: int = Field(
        0, ge=0, description="llama_cpp: most tokens computed at once on a device; 0: as batch_tokens."
    )
    use_mmap: bool = Field(True, description="llama_cpp: map the file rather than read it.")
    use_mlock: bool = Field(False, description="llama_cpp: keep the model in RAM; needs a high enough memlock limit.")
    numa: Literal["disabled", "distribute", "isolate", "numactl"] = Field(
        "disabled", description="llama_cpp: where threads and memory lie on machines of several sockets."
    )
    lora: str = Field(
        "", description="llama_cpp: LoRA adapters, GGUF files by comma, each with :scale where it is not 1."
    )

    prompt_cache_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        Path("~/.cache/tong-dai/prompts"),
        validate_default=True,
        description="llama_cpp: folder where what the model made of prompts' openings is kept from start to start.",
    )

    understanding_cache_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        Path("~/.cache/tong-dai/understanding"),
        validate_default=True,
        description="graph: folder where the vectors of the agents' examples are kept from start to start.",
    )

    data_dir: Annotated[Path | None, AfterValidator(lambda path: path and path.expanduser())] = Field(
        None, description="graph: folder of what agents' tools write (diary, outbox); unset: those tools are not there."
    )
    deeds_kept_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Days that deeds which have ended stay in the outbox; an undone one stays longer.",
    )
    tenant_secrets_dir: Annotated[Path | None, AfterValidator(lambda path: path and path.expanduser())] = Field(
        None, description="Folder of the credentials of agents' tools: TENANT/PACKAGE/FIELD, a file each."
    )
    tenant_secrets: SecretStr = Field(
        SecretStr(""), description='The same as JSON: {"TENANT": {"PACKAGE": {"FIELD": "value"}}}; the folder wins.'
    )

    openai_base_url: str = Field(
        "https://api.openai.com/v1",
        pattern="^https?://",
        description="openai: URL that /chat/completions stands behind.",
    )
    openai_model: str = Field("gpt-4o-mini", description="openai: the model's name on that server.")
    openai_api_key: SecretStr = Field(SecretStr(""), description="openai: the key; empty: none is sent.")
    openai_api_key_file: Path | None = Field(None, description="openai: a file with the key, as secrets are mounted.")
    openai_ca_file: Path | None = Field(
        None, description="openai: PEM certificates to verify the server's with; unset: those of certifi."
    )
    openai_token_limit_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="openai: the field that bounds a reply; OpenAI's newer models take the second."
    )
    openai_begins_in_reasoning: bool = Field(
        False,
        description="openai: answers begin inside a thought that ends with </think>, as DeepSeek-R1's do behind a "
        "server without a reasoning parser: nothing before it is spoken.",
    )

    gemini_model: str = Field("gemini-2.5-flash", description="gemini: the model's name.")
    gemini_api_key: SecretStr = Field(SecretStr(""), description="gemini: the key of the Gemini API.")
    gemini_api_key_file: Path | None = Field(None, description="gemini: a file with the key, as secrets are mounted.")
    gemini_base_url: str = Field(
        "", pattern="^(https?://.*)?$", description="gemini: another URL of the API; empty: Google's own."
    )

    transformers_model: str = Field(
        "", description="transformers: folder of a model as save_pretrained writes it, or its name on the Hub."
    )
    transformers_dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="transformers: type of the weights; auto: as the model's file says."
    )
    transformers_load_in_4bit: bool = Field(
        False, description="transformers: weights in 4 bits by bitsandbytes; needs CUDA."
    )

    script_file: Path = Field(
        Path(__file__).parent / "engines" / "script.toml", description="script: the TOML file of its replies."
    )
    analysis_limit_s: float = Field(
        10.0, gt=0, le=120, description="Longest work on the analysis of a call that is over, in seconds."
    )

    script_reply: str = Field("sure", description="script: the reply to a text that names none.")
    script_first_token_ms: float = Field(80.0, ge=0, description="script: time to the first token, in milliseconds.")
    script_tokens_per_s: float = Field(50.0, gt=0, description="script: tokens a second after the first.")

    @property
    def deeds_kept_s(self) -> float:
        """The time that deeds that have ended stay in the outbox, in seconds."""
        return self.deeds_kept_days * 86_400.0

    @property
    def chains(self) -> Chains:
        """The engines of every language, in the order they are tried."""
        return parse_chains(self.engines) if self.engines else {ANY: (self.engine,)}

    @field_validator("engines")
    @classmethod
    def _chains_can_be_read(cls, value: str) -> str:
        if value:
            parse_chains(value)
        return value

    @field_validator("tensor_split", mode="before")
    @classmethod
    def _shares_are_numbers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            shares = tuple(float(share) for share in value.replace(",", "/").split("/") if share.strip())
        except ValueError:
            raise ValueError("write each GPU's share, as in 8/8/8/8/8/9") from None
        if shares and (min(shares) < 0 or sum(shares) <= 0):
            raise ValueError("a share cannot be negative, and one must be over 0")
        return shares

    @model_validator(mode="after")
    def _quantised_values_need_flash_attention(self) -> NluSettings:
        has_flash = self.flash_attn == "on" or (self.flash_attn == "auto" and self.gpu_layers != 0)
        if self.type_v not in {"f32", "f16", "bf16"} and not has_flash:
            raise ValueError(f"NLU_TYPE_V={self.type_v} needs flash attention: set NLU_FLASH_ATTN=on")
        return self

    def exposures(self) -> list[str]:
        """Exposures of every service, and keys that are sent to a provider over plain text."""
        found = super().exposures()
        for name, url, key in (
            ("openai", self.openai_base_url, self.openai_api_key.get_secret_value() or self.openai_api_key_file),
            ("gemini", self.gemini_base_url, self.gemini_api_key.get_secret_value() or self.gemini_api_key_file),
        ):
            if key and is_plain_and_far(url):
                found.append(f"{name}_base_url {without_userinfo(url)}: the key goes there over plain text: use https")
        return found

    @model_validator(mode="after")
    def _a_step_has_room_for_every_slot(self) -> NluSettings:
        if self.batch_tokens < self.slots:
            raise ValueError(
                f"NLU_BATCH_TOKENS={self.batch_tokens} is less than NLU_SLOTS={self.slots}: a step takes a token of "
                "every reply under way"
            )
        if self.batch_tokens > self.context_tokens:
            raise ValueError(
                f"NLU_BATCH_TOKENS={self.batch_tokens} is more than NLU_CONTEXT_TOKENS={self.context_tokens}"
            )
        return self


def read_secret(value: SecretStr, file: Path | None, variable: str) -> str:
    """Return a key from the setting, else from its file; empty: there is none. Raises StartupError, NotServing."""
    key = value.get_secret_value().strip()
    if not key and file is not None:
        with loading(f"{variable}_FILE={file}"):
            key = file.expanduser().read_text(encoding="utf-8").strip()
    if not all("!" <= character <= "~" for character in key):
        raise NotServing(f"{variable} is no key: it has spaces, line breaks or characters that are not ASCII")
    return key
