"""Worker process that runs espeak-ng: `python -m services.tts.espeak.worker LIBRARY DATA_DIR`.

Reads requests from stdin and writes one reply to each to stdout, until stdin ends. Both are a frame: two lengths of
four bytes, big-endian, then so many bytes of JSON and so many of sound (LINEAR16 mono; empty in requests).

    {"do": "phonemes", "voice": "en-us", "texts": ["Hello there."]}     -> {"phonemes": ["həlˈoʊ ðˈɛɹ"]}
    {"do": "speak", "voice": "vi", "text": "Xin chào.", "rate": 1.0}    -> {"words": [[1, 3, 0], ...]} and the sound
    {"do": "voices"}                          -> {"sample_rate_hertz": 22050, "voices": [["vi", ["vi", "vi-vn"]], ...]}

A word is its first code point (from 0), its length and its first sample. `parts` in place of `text` are a text in
pieces, [text, language, IPA]: a piece with a language is said by that language's voice, one with IPA by its sounds.
A request that fails is answered {"error": "..."}. Of espeak-ng nothing is used but its C interface (speak_lib.h,
version 1.52) and the names of phonemes in its data.
"""

import ctypes
import json
import struct
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from services.tts.espeak.ipa import PhonemeWriter, phoneme_names
from services.tts.espeak.markup import marked_up

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: the callback runs inside espeak_Synth
UTF8 = 1  # espeakCHARS_UTF8
SSML, PHONEMES = 0x10, 0x100  # espeakSSML, espeakPHONEMES: [[ and ]]
IPA = 2  # phoneme mode: bit 1
BUFFER_MS = 60
EVENT_END, EVENT_WORD = 0, 1
RATE_PARAMETER = 1  # espeakRATE, words a minute
PITCH_PARAMETER, OWN_PITCH = 3, 50  # espeakPITCH, 0 to 100
PITCH_A_SEMITONE = 7.0  # about: measured 6 to 9 over the scale, by voice
WORDS_A_MINUTE = 165
FRAME = struct.Struct(">II")


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # code points, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_SoundCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The espeak-ng library, loaded once."""

    def __init__(self, library: str, data_dir: str) -> None:
        """Raises OSError when the library or its data cannot be loaded."""
        self._library = ctypes.CDLL(library)
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        path = data_dir.encode() or None
        self.sample_rate_hertz = self._library.espeak_Initialize(SYNCHRONOUS, BUFFER_MS, path, 0)
        if self.sample_rate_hertz <= 0:
            raise OSError(f"espeak-ng finds no data in {data_dir}")
        self._sound = bytearray()
        self._words: list[list[int]] = []
        self._callback = _SoundCallback(self._on_sound)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""
        self._writers: dict[str, PhonemeWriter] = {}
        self._files = {voice[0]: file for voice, file in self._listed()}

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Do what a request asks. Raises ValueError for a voice there is not."""
        if request["do"] == "voices":
            return {"sample_rate_hertz": self.sample_rate_hertz, "voices": [voice for voice, _ in self._listed()]}, b""
        self._use(request["voice"])
        if request["do"] == "phonemes":
            return {"phonemes": [self._phonemes(text) for text in request["texts"]]}, b""
        rate, pitch = float(request["rate"]), float(request["pitch"])
        if "parts" not in request:
            sound = self._speak(request["text"], rate, pitch)
            return {"words": self._words}, sound
        markup = marked_up(request["parts"], self._write)
        sound = self._speak(markup.text, rate, pitch, SSML | PHONEMES)
        return {"words": markup.words(self._words)}, sound

    def _use(self, voice: str) -> None:
        file = self._files.get(voice, voice.encode())
        if voice != self._voice and self._library.espeak_SetVoiceByName(file) != 0:
            self._voice = ""
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        self._voice = voice

    def _phonemes(self, text: str) -> str:
        """Return the IPA of a text; [[ and ]] are read where the last text spoken had PHONEMES."""
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while rest.value:
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA).decode())
        return " ".join(clause for clause in clauses if clause)

    def _write(self, ipa: str) -> str:
        """IPA by espeak-ng's names; empty, so that the text is said, where its data does not tell them."""
        try:
            return self._writer().write(ipa)
        except ValueError as error:
            print(error, file=sys.stderr)
            return ""

    def _writer(self) -> PhonemeWriter:
        """Return what writes IPA for the voice in use. Raises ValueError without espeak-ng's table of phonemes."""
        if (writer := self._writers.get(self._voice)) is not None:
            return writer
        path = ctypes.c_char_p()
        self._library.espeak_Info(ctypes.byref(path))
        voice_file = self._files.get(self._voice, b"").decode()
        try:
            names = phoneme_names(Path((path.value or b"").decode()), voice_file)
        except OSError as error:
            raise ValueError(f"espeak-ng's phonemes cannot be read: {error}") from error
        # The next request for phonemes is read with the flags of the text spoken before it.
        self._speak(".", 1.0, 0.0, PHONEMES)
        writer = PhonemeWriter(names, lambda phonemes: self._phonemes(f"[[{phonemes}]]"))
        self._speak(".", 1.0, 0.0)
        self._writers[self._voice] = writer
        return writer

    def _speak(self, text: str, rate: float, pitch: float, flags: int = 0) -> bytes:
        self._sound, self._words = bytearray(), []
        self._library.espeak_SetParameter(RATE_PARAMETER, round(WORDS_A_MINUTE * rate), 0)
        self._library.espeak_SetParameter(PITCH_PARAMETER, _scaled(pitch), 0)
        encoded = text.encode() + b"\0"
        if self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, UTF8 | flags, None, None) != 0:
            raise ValueError("espeak-ng refused the text")
        return bytes(self._sound)

    def _on_sound(self, samples: Any, n_samples: int, events: Any) -> int:
        if samples and n_samples:
            self._sound += ctypes.string_at(samples, 2 * n_samples)
        index = 0
        while events[index].type != EVENT_END:
            event = events[index]
            if event.type == EVENT_WORD:
                self._words.append([event.text_position - 1, event.length, event.sample])
            index += 1
        return 0

    def _listed(self) -> list[tuple[list[Any], bytes]]:
        """Every voice as [first language, languages], with the file espeak-ng finds it by."""
        listed = self._library.espeak_ListVoices(None)
        voices, index = [], 0
        while listed[index]:
            voice = listed[index].contents
            languages = _languages(voice.languages)
            voices.append(([languages[0], languages], bytes(voice.identifier)))
            index += 1
        return voices


def _scaled(semitones: float) -> int:
    """Return the pitch on espeak-ng's own scale, which ends at 0 and 100."""
    return min(100, max(0, round(OWN_PITCH + semitones * PITCH_A_SEMITONE)))


def _languages(packed: Any) -> list[str]:
    """A list of (priority byte, name, zero byte), ended by a zero byte."""
    names, at = [], 0
    while packed[at] != b"\0":
        name = bytearray()
        at += 1
        while packed[at] != b"\0":
            name += packed[at]
            at += 1
        names.append(name.decode())
        at += 1
    return names


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """One frame, or None at the end of the stream."""
    head = stream.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    n_json, n_sound = FRAME.unpack(head)
    return json.loads(stream.read(n_json)), stream.read(n_sound)


def write_frame(stream: IO[bytes], message: dict[str, Any], sound: bytes = b"") -> None:
    """Write one frame and push it out."""
    encoded = json.dumps(message, ensure_ascii=False).encode()
    stream.write(FRAME.pack(len(encoded), len(sound)) + encoded + sound)
    stream.flush()


def _show_uncaught(kind: type[BaseException], _error: object, trace: TracebackType | None) -> None:
    """Print place and kind of an exception on stderr, without its message, which may hold words of a call."""
    print("".join(traceback.format_tb(trace)) + kind.__qualname__, file=sys.stderr)


def main() -> None:
    """Serve until stdin ends."""
    sys.excepthook = _show_uncaught
    replies = sys.stdout.buffer
    try:
        espeak = Espeak(*sys.argv[1:3])
    except (OSError, AttributeError) as error:  # no library, or not espeak-ng's
        write_frame(replies, {"error": str(error)})
        raise SystemExit(1) from None
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        try:
            message, sound = espeak.answer(frame[0])
        except (ValueError, KeyError) as error:
            message, sound = {"error": str(error)}, b""
        write_frame(replies, message, sound)


if __name__ == "__main__":
    main()
