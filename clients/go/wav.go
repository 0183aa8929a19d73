package tongdai

import (
	"encoding/binary"
	"fmt"
	"os"
)

// extensible is WAVE_FORMAT_EXTENSIBLE: the format stands in the first two bytes
// of its SubFormat, behind 24 others.
const extensible = 0xFFFE

// Wav is sound: 16-bit little-endian samples, mono.
type Wav struct {
	SampleRateHertz int
	Samples         []byte
}

// ReadWav reads a RIFF WAVE file that goes on a stream as it is; of another one
// the error says why not, and what mends it.
func ReadWav(path string) (Wav, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Wav{}, err
	}
	if len(content) < 12 || string(content[:4]) != "RIFF" || string(content[8:12]) != "WAVE" {
		return Wav{}, fmt.Errorf("%s: not a WAV file", path)
	}
	var form, samples []byte
	for at := 12; at+8 <= len(content) && samples == nil; {
		size := int(binary.LittleEndian.Uint32(content[at+4:]))
		body := content[at+8 : min(at+8+size, len(content))]
		switch name := string(content[at : at+4]); {
		case name == "fmt " && len(body) >= 16:
			form = body
		case name == "data":
			samples = body
		}
		at += 8 + size + size%2
	}
	if form == nil || samples == nil {
		missing := map[bool]string{true: "fmt", false: "data"}[form == nil]
		return Wav{}, fmt.Errorf("%s: a WAV file without %s", path, missing)
	}
	encoding, channels := binary.LittleEndian.Uint16(form), binary.LittleEndian.Uint16(form[2:])
	rate, bits := int(binary.LittleEndian.Uint32(form[4:])), binary.LittleEndian.Uint16(form[14:])
	if encoding == extensible && len(form) >= 26 {
		encoding = binary.LittleEndian.Uint16(form[24:])
	}
	isRate := rate == 8000 || rate == 16000 || rate == 24000 || rate == 48000
	if encoding != 1 || channels != 1 || bits != 16 || !isRate {
		return Wav{}, fmt.Errorf(
			"%s: format %d, %d channel(s), %d bits, %d Hz; needed: PCM (format 1), 1 channel, 16 bits, 8000, 16000, "+
				"24000 or 48000 Hz. Try: ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav",
			path, encoding, channels, bits, rate)
	}
	samples = samples[:len(samples)/2*2]
	if len(samples) == 0 {
		return Wav{}, fmt.Errorf("%s: the file has no samples", path)
	}
	return Wav{rate, samples}, nil
}

// WriteWav writes a RIFF WAVE file.
func WriteWav(path string, wav Wav) error {
	size, rate := uint32(len(wav.Samples)), uint32(wav.SampleRateHertz)
	file := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), 36+size), "WAVEfmt "...)
	for _, field := range []any{uint32(16), uint16(1), uint16(1), rate, 2 * rate, uint16(2), uint16(16)} {
		file, _ = binary.Append(file, binary.LittleEndian, field) // integers have a fixed size
	}
	file = binary.LittleEndian.AppendUint32(append(file, "data"...), size)
	return os.WriteFile(path, append(file, wav.Samples...), 0o644)
}
