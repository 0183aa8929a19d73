"""What the speaking stage can be told from outside."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from services.runtime.engine_chains import Chains, parse_chains
from services.runtime.settings import ServiceSettings, service_config


class TtsSettings(ServiceSettings):
    """Settings of the speaking stage."""

    model_config = service_config("TTS")

    port: int = Field(50054, ge=0, le=65535, description="TCP port of the gRPC server; 0 takes a free one.")
    metrics_port: int = Field(9104, ge=0, le=65535, description="TCP port of the Prometheus metrics; 0 serves none.")

    engines: Annotated[Chains, NoDecode] = Field(
        {"en": ("piper",), "*": ("espeak",)},
        description="Which engine speaks which language, as in en=piper,*=espeak; * is every other language it knows; "
        "behind > stands what speaks when that fails, as in en=piper>espeak.",
    )
    first_audio_limit_s: float = Field(
        1.5, gt=0, description="A voice whose first sound is later fails, while another can speak the turn, in seconds."
    )
    default_language_code: str = Field("en-US", description="Language of a stream that names none, BCP-47.")
    max_turn_text_chars: int = Field(5000, ge=1, description="Longest text of one turn, in code points.")
    max_clause_chars: int = Field(240, ge=40, le=2000, description="Longest clause given to an engine, in code points.")
    first_chunk_ms: int = Field(20, ge=20, le=40, description="Length of a turn's first audio chunk, in milliseconds.")
    chunk_ms: int = Field(
        100, ge=10, le=100, description="Length of the other audio chunks, in milliseconds; config may ask for more."
    )
    max_lead_ms: int = Field(
        5000, ge=0, description="How far audio runs ahead of real time where config says nothing; 0 is no limit."
    )
    cache_dir: Path = Field(
        Path("~/.cache/tong-dai/speech"), validate_default=True, description="Folder of the speech that is kept."
    )
    cache_mb: int = Field(256, ge=0, description="Most speech kept in cache_dir, in megabytes; 0 keeps none.")
    cache_after_calls: int = Field(
        3,
        ge=1,
        description="So many calls must have asked for a clause before its speech is kept; fixed texts at once.",
    )
    recording_engines: Annotated[Chains, NoDecode] = Field(
        {},
        description="Engines for what is recorded ahead and played by itself, as the gateway's prompts are: en=piper; "
        "one a language, where better ones than TTS_ENGINES are at hand.",
    )

    sentence_pause_ms: int = Field(220, ge=0, le=2000, description="Pause between two sentences, in milliseconds.")
    phrase_pause_ms: int = Field(110, ge=0, le=2000, description="Pause behind a comma or colon, in milliseconds.")
    joint_pause_ms: int = Field(30, ge=0, le=2000, description="Pause between clauses without a mark, in milliseconds.")

    piper_model: str = Field("piper-en-joe", description="The Piper voice: a model's name, or a folder with its files.")
    piper_threads: int = Field(1, ge=1, description="Threads inside one step of the voice's network.")
    piper_workers: int = Field(0, ge=0, description="Steps of the voice's network run at once; 0 is one a core.")
    piper_seed: int = Field(0, ge=0, description="Makes the voice say a text the same way in every run; 0 draws anew.")
    espeak_library: Path | None = Field(
        None, description="A libespeak-ng to use in place of the packaged one, as in /usr/lib/libespeak-ng.so.1."
    )
    espeak_data_dir: Path | None = Field(None, description="The folder espeak-ng-data that belongs to espeak_library.")
    tone_first_audio_ms: int = Field(60, ge=0, description="When a tone's first audio is ready, after its clause.")
    tone_ms_per_char: int = Field(60, ge=1, description="Length of a tone for each code point of its clause.")

    @field_validator("engines", "recording_engines", mode="before")
    @classmethod
    def _engines_are_chains(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if info.field_name == "recording_engines" and not value.strip():
            return {}
        return parse_chains(value)

    @field_validator("recording_engines")
    @classmethod
    def _one_engine_records_a_language(cls, chains: Chains) -> Chains:
        if any(len(chain) > 1 for chain in chains.values()):
            raise ValueError("name one engine a language, as in en=piper")
        return chains

    @field_validator("cache_dir")
    @classmethod
    def _cache_dir_is_expanded(cls, path: Path) -> Path:
        return path.expanduser()
