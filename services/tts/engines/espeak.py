"""Engine `espeak`: formant synthesis by espeak-ng, for many languages, within milliseconds."""

from collections.abc import AsyncGenerator, Callable
from itertools import pairwise

from services.audio.pcm import Samples
from services.tts.engine import EngineDescription, Line, Speech, Voice, WordEnd, sound_id
from services.tts.espeak.process import EspeakProcess, SpokenWord
from services.tts.settings import TtsSettings
from services.tts.workers import Workers

PREFIX = "espeak-"


class EspeakEngine:
    """espeak-ng. A line is made whole in a few milliseconds; the places of words are espeak-ng's own."""

    def __init__(self, settings: TtsSettings) -> None:
        self._process = EspeakProcess(settings.espeak_library, settings.espeak_data_dir)
        self._workers = Workers(1, "espeak")
        self._description = EngineDescription("espeak", "espeak-ng", 0, (), measures_words=True)

    def report_lost(self, on_lost: Callable[[str], bool]) -> None:
        """Before `load`: have a lost thread told to `on_lost`; True: others speak in its place, the process lives."""
        self._workers.on_lost = on_lost

    async def load(self) -> None:
        await self._workers.run(self._process.start, due_s=0.0)
        sound = await self._workers.run(lambda: sound_id((self._process.library, *self._process.data_files)), due_s=0.0)
        self._description = EngineDescription(
            name="espeak",
            model="espeak-ng",
            sample_rate_hertz=self._process.sample_rate_hertz,
            voices=tuple(Voice(f"{PREFIX}{voice.name}", voice.language_codes) for voice in self._process.voices),
            measures_words=True,
            sound_id=sound.result,
        )

    def describe(self) -> EngineDescription:
        return self._description

    async def synthesize(self, line: Line) -> AsyncGenerator[Speech, None]:
        def speak() -> tuple[Samples, list[SpokenWord]]:
            return self._process.speak(
                line.text,
                voice=line.voice.removeprefix(PREFIX),
                rate=line.rate,
                pitch=line.pitch,
                stretches=line.stretches,
            )

        done = await self._workers.run(speak, due_s=line.due_s())
        samples, words = done.result
        yield Speech(samples, _word_ends(words, len(samples)), done.queue_us, done.compute_us, is_whole=True)

    async def close(self) -> None:
        self._workers.close()
        self._process.close()


def _word_ends(words: list[SpokenWord], n_samples: int) -> tuple[WordEnd, ...]:
    """Return the ends of words: a word lasts until the next one begins."""
    ends = [WordEnd(word.text_offset + word.length, following.sample) for word, following in pairwise(words)]
    if words:
        ends.append(WordEnd(words[-1].text_offset + words[-1].length, n_samples))
    return tuple(ends)
