"""Settings of the TTS stage."""

from pathlib import Path
from typing import Annotated, Literal

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
        "one a language, where there are better ones than TTS_ENGINES.",
    )

    sentence_pause_ms: int = Field(220, ge=0, le=2000, description="Pause between two sentences, in milliseconds.")
    phrase_pause_ms: int = Field(110, ge=0, le=2000, description="Pause behind a comma or colon, in milliseconds.")
    joint_pause_ms: int = Field(30, ge=0, le=2000, description="Pause between clauses without a mark, in milliseconds.")

    piper_model: str = Field("piper-en-joe", description="The Piper voice: a model's name, or a folder with its files.")
    piper_threads: int = Field(1, ge=1, description="Threads inside one step of the voice's network.")
    piper_workers: int = Field(0, ge=0, description="Steps of the voice's network run at once; 0 is one a core.")
    piper_seed: int = Field(0, ge=0, description="Makes the voice say a text the same way in every run; 0: varies.")
    kokoro_model: str = Field(
        "kokoro-82m", description="Kokoro: a model's name, or a folder with model.onnx, config.json and voices/*.bin."
    )
    kokoro_threads: int = Field(0, ge=0, description="Threads inside one step of Kokoro's network; 0 is one a core.")
    espeak_library: Path | None = Field(
        None, description="A libespeak-ng to use in place of the packaged one, as in /usr/lib/libespeak-ng.so.1."
    )
    espeak_data_dir: Path | None = Field(None, description="The folder espeak-ng-data that belongs to espeak_library.")
    nemo_acoustic: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="FastPitch by language, names of NVIDIA's or files: en=tts_en_fastpitch,vi=/models/vi.nemo.",
    )
    nemo_vocoder: str = Field(
        "nvidia/bigvgan_v2_22khz_80band_fmax8k_256x",
        description="BigVGAN: a folder or a name on Hugging Face. HiFi-GAN: a .nemo file or a name of NVIDIA's.",
    )
    nemo_vocoder_kind: Literal["bigvgan", "hifigan"] = Field("bigvgan", description="What nemo_vocoder is.")
    nemo_mels: int = Field(80, ge=1, description="Bands of the spectrogram between the two.")
    nemo_devices: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Where it computes, as in cuda:0,cuda:1; empty: the first two GPUs, or the processor without any.",
    )
    nemo_precision: Literal["auto", "fp32", "fp16"] = Field(
        "auto", description="Numbers the vocoder computes with; auto: fp16 on GPUs from Volta on."
    )
    nemo_max_batch: int = Field(16, ge=1, le=256, description="Most steps of different calls computed at once.")
    nemo_gather_ms: int = Field(
        3, ge=0, le=50, description="How long an idle GPU waits for texts of other calls, in milliseconds."
    )
    clone_model: Path | None = Field(
        None, description="XTTS v2 for cloned voices: a folder with config.json, model.pth and vocab.json."
    )
    clone_licence: Literal["", "cpml", "own"] = Field(
        "",
        description="By which right its weights are used; cpml: the Coqui Public Model License, non-commercial; own: "
        "weights of one's own.",
    )
    clone_dir: Path = Field(
        Path("~/.local/share/tong-dai/voices"),
        validate_default=True,
        description="Folder of the cloned voices, their recordings and the record of what they said.",
    )
    clone_python: Path = Field(
        Path(".cache/clone-venv/bin/python"),
        description="The Python of the environment that deploy/clone/environment.sh makes.",
    )
    clone_device: str = Field("auto", description="Where XTTS computes: auto, cpu, cuda:0.")
    clone_max_voices: int = Field(20, ge=1, description="Most cloned voices of a tenant.")
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

    @field_validator("nemo_acoustic", mode="before")
    @classmethod
    def _languages_have_names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [entry.partition("=") for entry in value.split(",") if entry.strip()]
        if not all(equals and language.strip() and name.strip() for language, equals, name in pairs):
            raise ValueError("write language=model, separated by commas, as in en=tts_en_fastpitch,vi=/models/vi.nemo")
        return {language.strip().lower(): name.strip() for language, _, name in pairs}

    @field_validator("nemo_devices", mode="before")
    @classmethod
    def _devices_are_a_list(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("recording_engines")
    @classmethod
    def _one_engine_records_a_language(cls, chains: Chains) -> Chains:
        if any(len(chain) > 1 for chain in chains.values()):
            raise ValueError("name one engine a language, as in en=piper")
        return chains

    @field_validator("cache_dir", "clone_dir")
    @classmethod
    def _folders_are_expanded(cls, path: Path) -> Path:
        return path.expanduser()
