"""Settings of the STT service."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services.runtime.engine_chains import Chains, parse_chains
from services.runtime.settings import ServiceSettings, service_config


class SttSettings(ServiceSettings):
    """Read once in `__main__`."""

    model_config = service_config("STT")

    port: int = Field(50052, ge=0, le=65535, description="TCP port of the gRPC server; 0 takes a free one.")
    metrics_port: int = Field(9102, ge=0, le=65535, description="TCP port of the Prometheus metrics; 0 serves none.")

    engine: str = Field(
        "faster_whisper",
        description="Who puts speech into words: faster_whisper, viet_asr, google, vosk, sherpa_onnx or script.",
    )
    engines: Annotated[Chains, NoDecode] = Field(
        {},
        description="Engines by language with their fallbacks, not engine: vi=viet_asr,*=google>faster_whisper.",
    )

    vad_batch_ms: float = Field(
        5.0,
        ge=0,
        le=30,
        description="How long the voice detector waits for other calls to share a batch, in milliseconds.",
    )
    end_of_turn: str = Field("none", description="Judges by the voice whether a turn is over: none or smart_turn.")
    end_of_turn_model: Path | None = Field(
        None, description="The ONNX file of end_of_turn; none: the one that make models has fetched."
    )
    draft_pause_ms: int = Field(64, ge=32, le=2000, description="Silence after which a draft is made, in ms of audio.")
    complete_wait_ms: int = Field(
        224, ge=32, le=5000, description="Silence that ends a turn whose text is whole, in ms of audio."
    )
    unfinished_wait_ms: int = Field(
        1200, ge=32, le=10000, description="Silence that ends a turn whose text is plainly unfinished, in ms of audio."
    )
    no_text_wait_ms: int = Field(
        700, ge=32, le=10000, description="Silence that ends a turn whose text is not known, in ms of audio."
    )
    learn_pauses: bool = Field(True, description="Wait longer for callers who went on after such silences before.")
    max_drafts: int = Field(4, ge=0, le=100, description="Drafts that 15 s of one utterance may cost.")
    max_draft_speech_ms: int = Field(120_000, ge=0, description="The longest speech a draft is tried for, in ms.")
    draft_queue_limit_ms: int = Field(250, ge=0, description="A draft that would wait longer than this is not made.")
    settle_limit_s: float = Field(10.0, gt=0, description="A text that takes longer than this to settle has failed.")
    max_gap_ms: int = Field(
        1000, ge=0, le=1000, description="Lost audio up to this long is concealed, more is a reset."
    )
    max_utterance_s: int = Field(
        120, ge=10, le=600, description="Speech that goes on for longer is closed, and the turn may be taken."
    )

    whisper_model: str = Field(
        "whisper-base",
        description="Engine faster_whisper: a Whisper model of deploy/models.toml, or the folder of any other.",
    )
    whisper_device: Literal["cpu", "cuda"] = Field("cpu", description="Engine faster_whisper: cpu or cuda.")
    whisper_compute_type: str = Field(
        "", description="Engine faster_whisper: CTranslate2's type; empty is int8 on cpu and float16 on cuda."
    )
    whisper_beam_size: int = Field(
        1, ge=1, le=10, description="Engine faster_whisper: texts weighed at once; 1 takes the likeliest token."
    )
    whisper_words: bool = Field(
        False, description="Engine faster_whisper: say where each word lies; costs some 50 ms a text."
    )
    whisper_lone_threads: int = Field(
        2,
        ge=1,
        le=16,
        description="Engine faster_whisper: threads of a text while cores idle; more than 1 loads the model twice.",
    )
    whisper_live_ms: int = Field(
        0,
        ge=0,
        le=5000,
        description="Engine faster_whisper: a partial each so many ms while the caller speaks, if cores idle; 0: none.",
    )
    vad_model: str = Field("silero-vad", description="Name of the voice detector in deploy/models.toml.")
    decode_workers: int = Field(
        0, ge=0, le=256, description="Speech decoded at once, one thread each; 0 means one a core."
    )
    decode_batch: int = Field(
        1,
        ge=1,
        le=64,
        description="Engine faster_whisper: waiting texts decoded as one; more than 1 is for GPUs, see HEARING.md.",
    )

    measured_admission: bool = Field(
        True, description="Refuse calls beyond what the engine was measured to serve at its start, under max_streams."
    )

    vosk_model: str = Field("", description="Engine vosk: a model of deploy/models.toml, or the folder of any other.")
    vosk_language: str = Field("", description="Engine vosk: the language of its model, as ru.")
    sherpa_model: str = Field("", description="Engine sherpa_onnx: the model's folder; see engines/sherpa_onnx.py.")
    sherpa_kind: str = Field(
        "online_transducer",
        description="Engine sherpa_onnx: online_ or offline_ with transducer, zipformer_ctc, nemo_ctc or wenet_ctc.",
    )
    sherpa_languages: Annotated[list[str], NoDecode] = Field(
        [], description="Engine sherpa_onnx: the languages of its model, by comma; empty takes every language."
    )
    google_project: str = Field("", description="Engine google: the Google Cloud project that pays.")
    google_region: str = Field("global", description="Engine google: location, as global, eu or asia-southeast1.")
    google_recognizer: str = Field("_", description="Engine google: id of a recogniser of the project; _ is none.")
    google_model: str = Field("long", description="Engine google: telephony, long, chirp_2 and others of the location.")
    google_endpointing_sensitivity: Literal["standard", "short", "supershort"] = Field(
        "standard", description="Engine google: how soon it closes a result: standard, short or supershort."
    )
    google_most_languages: int = Field(
        3, ge=1, le=10, description="Engine google: languages of a call it is told of; some models take one."
    )
    google_boost: float = Field(10.0, ge=0, le=20, description="Engine google: weight of the phrases to favour.")
    google_endpoint: str = Field("", description="Engine google: host:port in place of the region's own.")
    google_is_plaintext: bool = Field(
        False, description="Engine google: neither TLS nor credentials, for a stand-in on this machine."
    )
    google_roll_over_s: float = Field(
        240.0,
        gt=0,
        description="Engine google: from this age of a stream on, the next pause opens another, in seconds.",
    )
    google_stream_limit_s: float = Field(
        290.0, gt=0, description="Engine google: a stream gets no more sound than this; Google's own limit is 300 s."
    )
    google_draft_wait_ms: int = Field(
        120, ge=0, le=2000, description="Engine google: how long a draft waits for words of the last sound, in ms."
    )
    google_settle_wait_ms: int = Field(
        400, ge=0, le=5000, description="Engine google: the same at the end of an utterance that has no draft."
    )
    google_stall_s: float = Field(
        3.0, ge=0.2, le=60, description="Engine google: speech without an answer after which a stream is replaced."
    )
    google_start_limit_s: float = Field(
        5.0, gt=0, le=60, description="Engine google: how long the start waits for its first answer, in seconds."
    )

    script_file: Path | None = Field(
        None, description="Engine script: text file of what callers say, one utterance a line; see engines/script.py."
    )
    script_texts: str = Field(
        "I would like to make an appointment.\\nTomorrow at ten, please.\\nThank you, goodbye.",
        description="Engine script: the same in place of a file, with \\n between utterances.",
    )
    script_lag_ms: int = Field(
        100,
        ge=0,
        le=5000,
        description="Engine script: text is ready this long after the end of speech, in ms of audio.",
    )

    @field_validator("sherpa_languages", mode="before")
    @classmethod
    def _languages_are_a_list(cls, value: object) -> object:
        return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value

    @field_validator("engines", mode="before")
    @classmethod
    def _engines_are_chains(cls, value: object) -> object:
        return (parse_chains(value) if value.strip() else {}) if isinstance(value, str) else value
