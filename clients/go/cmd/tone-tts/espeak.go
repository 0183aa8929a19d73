package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
)

const (
	wordsAMinute = 165 // at rate 1
	taps         = 16  // of the low-pass on each side of a sample, at the lower rate
)

var primary = regexp.MustCompile(`^[a-z]{2,3}$`)

// voices are the names of those there are: espeak-ng where it is installed.
var voices = sync.OnceValue(func() []string {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		return []string{toneVoice}
	}
	return []string{toneVoice, espeakVoice}
})

// synthesize gives the samples of a part of the turn, and how its marks are told.
func (t *turn) synthesize(text []rune, rates []float32, hertz int) ([]int16, ttsv1.SpokenText_MarkTiming, error) {
	t.mutex.Lock()
	speaker, language := t.speaker, t.language
	t.mutex.Unlock()
	if speaker == espeakVoice {
		samples, err := espeak(t.context(), string(text), language, rates[0], hertz)
		return samples, ttsv1.SpokenText_MARK_TIMING_INTERPOLATED, err
	}
	size := 0.0
	for _, rate := range rates {
		size += float64(hertz*msPerChar/1000) / float64(rate)
	}
	return tone(hertz, t.id, t.sent, int(size)), ttsv1.SpokenText_MARK_TIMING_MEASURED, nil
}

// context is over when the turn is cancelled or its stream is.
func (t *turn) context() context.Context {
	ctx, cancel := context.WithCancel(t.voice.wire.Context())
	go func() {
		select {
		case <-t.cancelled:
		case <-t.over:
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx
}

// espeak speaks a text by the program espeak-ng (its WAV on stdout), at a rate in
// Hz. The error is of a language that it has not, or of the program.
func espeak(ctx context.Context, text, language string, rate float32, hertz int) ([]int16, error) {
	voice, _, _ := strings.Cut(strings.ToLower(language), "-")
	switch {
	case voice == "zh":
		voice = "cmn" // Mandarin, as espeak-ng names it
	case !primary.MatchString(voice):
		voice = "en"
	}
	speed := strconv.Itoa(int(math.Round(wordsAMinute * float64(rate))))
	program := exec.CommandContext(ctx, "espeak-ng", "--stdin", "--stdout", "-v", voice, "-s", speed)
	program.Stdin = strings.NewReader(text)
	wav, err := program.Output()
	if err != nil {
		return nil, fmt.Errorf("espeak-ng -v %s: %w", voice, err)
	}
	at := bytes.Index(wav, []byte("data"))
	if len(wav) < 44 || at < 0 || at+8 > len(wav) {
		return nil, fmt.Errorf("espeak-ng -v %s: no WAV of %d bytes", voice, len(wav))
	}
	samples := make([]int16, (len(wav)-at-8)/2) // up to the end: the size is not known where stdout is a pipe
	for number := range samples {
		samples[number] = int16(binary.LittleEndian.Uint16(wav[at+8+2*number:]))
	}
	return resample(samples, int(binary.LittleEndian.Uint32(wav[24:])), hertz), nil
}

// resample gives samples at another rate: a low-pass below half of the lower rate,
// a sinc under a Hann window.
func resample(samples []int16, from, to int) []int16 {
	made := make([]int16, len(samples)*to/from)
	cutoff := min(1, float64(to)/float64(from)) // of half the rate of the source
	reach := taps / cutoff
	for number := range made {
		centre := float64(number) * float64(from) / float64(to)
		sum := 0.0
		for at := max(0, int(centre-reach)+1); at < min(len(samples), int(centre+reach)+1); at++ {
			distance := float64(at) - centre
			window := 0.5 + 0.5*math.Cos(math.Pi*distance/reach)
			sum += float64(samples[at]) * cutoff * sinc(cutoff*distance) * window
		}
		made[number] = int16(math.Round(max(-32768, min(32767, sum))))
	}
	return made
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}
