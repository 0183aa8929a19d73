from services.stt_proxy.speech_gate import Edge, GateThresholds, SpeechBegan, SpeechGate, SpeechPaused

WINDOW = 256


def gate(pause_windows: int = 3) -> SpeechGate:
    return SpeechGate(pause_samples=pause_windows * WINDOW, thresholds=GateThresholds())


def edges_of(speech_gate: SpeechGate, *scores: float, start: int = 0) -> list[Edge]:
    edges = [speech_gate.observe(start + n * WINDOW, start + (n + 1) * WINDOW, score) for n, score in enumerate(scores)]
    return [edge for edge in edges if edge is not None]


def test_one_sure_window_is_speech():
    assert edges_of(gate(), 0.1, 0.8) == [SpeechBegan(sample=WINDOW, score=0.8)]


def test_one_likely_window_is_not_speech():
    assert edges_of(gate(), 0.1, 0.7, 0.1, 0.7, 0.1) == []


def test_two_likely_windows_in_a_row_are_speech_from_the_first_on():
    assert edges_of(gate(), 0.1, 0.5, 0.6) == [SpeechBegan(sample=WINDOW, score=0.6)]


def test_speech_that_falls_just_short_of_a_pause_goes_on():
    assert edges_of(gate(), 0.9, 0.1, 0.1, 0.5, 0.1, 0.1) == [SpeechBegan(0, 0.9)]


def test_a_pause_is_told_with_the_end_of_the_last_voiced_window():
    assert edges_of(gate(), 0.9, 0.9, 0.2, 0.1, 0.05)[1:] == [SpeechPaused(sample=2 * WINDOW, score=0.05)]


def test_a_pause_is_told_once():
    assert len(edges_of(gate(), 0.9, *[0.0] * 20)) == 2


def test_speech_after_a_pause_is_a_new_onset():
    edges = edges_of(gate(), 0.9, 0.0, 0.0, 0.0, 0.9)
    assert edges[-1] == SpeechBegan(sample=4 * WINDOW, score=0.9)


def test_idle_silence_counts_towards_a_pause():
    speech_gate = gate()
    edges_of(speech_gate, 0.9, 0.1)
    assert speech_gate.rest(WINDOW) is None
    assert speech_gate.rest(WINDOW) == SpeechPaused(sample=WINDOW, score=0.0)


def test_time_on_hold_does_not_count_towards_a_pause():
    speech_gate = gate()
    edges_of(speech_gate, 0.9, 0.1, 0.1)
    speech_gate.skip()
    assert speech_gate.is_open


def test_likely_windows_on_both_sides_of_a_hole_are_no_run():
    speech_gate = gate()
    edges_of(speech_gate, 0.6)
    speech_gate.skip()
    assert edges_of(speech_gate, 0.6, start=80000) == []


def test_shutting_ends_what_is_open_and_nothing_else():
    speech_gate = gate()
    assert speech_gate.shut() is None
    edges_of(speech_gate, 0.9, 0.9)
    assert speech_gate.shut() == SpeechPaused(sample=2 * WINDOW, score=0.0)
    assert not speech_gate.is_open
