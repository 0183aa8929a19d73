"""Metrics of the STT stage beyond those of every stage."""

from prometheus_client import Counter, Histogram

VAD_BATCH_CALLS = Histogram(
    "voice_stt_vad_batch_calls", "Calls in one run of the voice detector.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
VAD_LAG_SECONDS = Histogram(
    "voice_stt_vad_lag_seconds",
    "From the arrival of the sound that completed a window to its score.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
DRAFTS_TOTAL = Counter(
    "voice_stt_drafts_total",
    "Drafts by what became of them: made, draft_late, superseded or decoding_failed; of those made: used or dropped.",
    ["fate"],
)
COMPUTE_SECONDS_TOTAL = Counter(
    "voice_stt_compute_seconds_total", "Work of the engine, by what it was for: draft or settled.", ["purpose"]
)
CONCEALED_SAMPLES_TOTAL = Counter("voice_stt_concealed_samples_total", "Samples invented to hide a loss.")
RECORDING_DROPPED_SAMPLES_TOTAL = Counter(
    "voice_stt_recording_dropped_samples_total", "Samples of utterances longer than the sound that is kept of one."
)
STREAMS_TOTAL = Counter(
    "voice_stt_recogniser_streams_total",
    "Recogniser streams that ended, by why: utterance, silence, hole, limit, discard, finish, break or its reason.",
    ["why"],
)
LINE_SOUNDS_TOTAL = Counter("voice_stt_line_sounds_total", "Sounds of the line that were told, by kind.", ["kind"])
