"""What the thinking stage can be told from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from services.runtime.settings import ServiceSettings, service_config

_ROOT = Path(__file__).parents[2]


class NluSettings(ServiceSettings):
    """Settings of the nlu service; each is the environment variable NLU_ and its name in capitals."""

    model_config = service_config("NLU")

    port: int = Field(50053, ge=0, le=65535, description="TCP port of the gRPC server; 0 takes a free one.")
    metrics_port: int = Field(9103, ge=0, le=65535, description="TCP port of the Prometheus metrics; 0 serves none.")

    engine: Literal["llama_cpp", "script"] = Field("llama_cpp", description="What thinks.")
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
    max_reply_sentences: int = Field(3, ge=1, description="Sentences after which a model's reply is ended.")
    first_phrase_words: int = Field(
        4, ge=0, description="Words after which an early clause may be cut before a phrase; 0: it is spoken whole."
    )
    max_prompt_chars: int = Field(6000, ge=500, description="Most characters of history shown to the model.")

    model: str = Field(
        "qwen2.5-0.5b-instruct",
        description="llama_cpp: a model of deploy/models.toml, or the path of a .gguf file.",
    )
    threads: int = Field(0, ge=0, description="llama_cpp: threads that compute; 0: one for each usable CPU.")
    gpu_layers: int = Field(0, ge=-1, description="llama_cpp: layers on GPUs; -1: all of them.")
    context_tokens: int = Field(8192, ge=512, description="llama_cpp: tokens in memory, of all calls together.")
    slots: int = Field(48, ge=4, le=256, description="llama_cpp: token sequences kept apart; two a call and some.")
    batch_tokens: int = Field(512, ge=64, description="llama_cpp: most tokens in one step.")
    max_reply_tokens: int = Field(96, ge=8, description="llama_cpp: most tokens of one reply.")
    temperature: float = Field(0.0, ge=0, le=2, description="llama_cpp: 0 always takes the likeliest token.")

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
    choice_limit_s: float = Field(
        0.0,
        ge=0,
        description="graph: longest time for the model to settle a doubt, in seconds; 0: it is not asked.",
    )

    script_file: Path = Field(
        Path(__file__).parent / "engines" / "script.toml", description="script: the TOML file of its replies."
    )
    script_reply: str = Field("sure", description="script: the reply to a text that names none.")
    script_first_token_ms: float = Field(80.0, ge=0, description="script: time to the first token, in milliseconds.")
    script_tokens_per_s: float = Field(50.0, gt=0, description="script: tokens a second after the first.")

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
