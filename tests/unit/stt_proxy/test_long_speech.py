import numpy as np

from services.stt_proxy.engine import Span, Speech
from services.stt_proxy.long_speech import DecodedPiece, DecodedPieces, behind
from services.stt_proxy.recording import Clip


def piece(start: int, end: int, *, utterance_id: int = 1) -> DecodedPiece:
    return DecodedPiece(utterance_id, start, end, "en", f"{start} to {end}", -0.2, 3, ())


def speech(end: int, *, utterance_id: int = 1) -> Speech:
    return Speech(1, utterance_id, (Span(0, end),), (Clip(0, np.arange(end).astype(np.int16)),), 8000)


def kept(pieces: DecodedPieces, end: int = 10_000, *, utterance_id: int = 1) -> list[int]:
    return [each.start_sample for each in pieces.within(speech(end, utterance_id=utterance_id))]


def test_pieces_that_follow_each_other_are_kept():
    pieces = DecodedPieces()
    for each in (piece(0, 100), piece(100, 250), piece(100, 240), piece(300, 400)):
        pieces.add(each)
    assert kept(pieces) == [0, 100]


def test_an_utterance_that_was_ended_within_a_piece_does_not_have_it():
    pieces = DecodedPieces()
    pieces.add(piece(0, 100))
    pieces.add(piece(100, 250))
    assert kept(pieces, 249) == [0]


def test_the_next_utterance_begins_from_nothing():
    pieces = DecodedPieces()
    pieces.add(piece(0, 100))
    assert kept(pieces, utterance_id=2) == []
    pieces.add(piece(120, 200, utterance_id=2))
    assert kept(pieces, utterance_id=2) == [120]
    pieces.add(piece(100, 150, utterance_id=1))
    assert kept(pieces, utterance_id=2) == [120]


def test_what_was_no_speech_takes_away_the_pieces_from_there_on():
    pieces = DecodedPieces()
    for each in (piece(0, 100), piece(100, 200), piece(200, 300)):
        pieces.add(each)
    pieces.forget(150, 160)
    assert kept(pieces) == [0]


def test_only_sound_behind_what_is_known_is_left():
    [clip] = behind(speech(500), 200).clips
    assert (clip.start_sample, len(clip.samples), clip.samples[0]) == (200, 300, 200)
    assert behind(speech(500), 600).clips == ()
