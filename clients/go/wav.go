package tongdai

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// ErrWav is of a file that cannot be sent; the error says why and what mends it.
var ErrWav = errors.New("wav")

// Wav is sound: 16-bit little-endian samples, mono.
type Wav struct {
	SampleRateHertz int
	Samples         []byte
}

type wavError string

func (e wavError) Error() string { return string(e) }
func (e wavError) Unwrap() error { return ErrWav }

// ReadWav reads a RIFF WAVE file that goes on a stream as it is.
func ReadWav(path string) (Wav, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Wav{}, err
	}
	if len(content) < 12 || string(content[:4]) != "RIFF" || string(content[8:12]) != "WAVE" {
		return Wav{}, wavError(path + ": not a WAV file")
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
	if form == nil {
		return Wav{}, wavError(path + ": a WAV file without fmt")
	}
	if samples == nil {
		return Wav{}, wavError(path + ": a WAV file without data")
	}
	encoding, channels := binary.LittleEndian.Uint16(form), binary.LittleEndian.Uint16(form[2:])
	rate, bits := int(binary.LittleEndian.Uint32(form[4:])), binary.LittleEndian.Uint16(form[14:])
	isRate := rate == 8000 || rate == 16000 || rate == 24000 || rate == 48000
	if (encoding != 1 && encoding != 0xFFFE) || channels != 1 || bits != 16 || !isRate {
		return Wav{}, wavError(fmt.Sprintf(
			"%s: format %d, %d channel(s), %d bits, %d Hz; needed: PCM (format 1), 1 channel, 16 bits, 8000, 16000, "+
				"24000 or 48000 Hz. Try: ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav",
			path, encoding, channels, bits, rate))
	}
	samples = samples[:len(samples)/2*2]
	if len(samples) == 0 {
		return Wav{}, wavError(path + ": the file has no samples")
	}
	return Wav{rate, samples}, nil
}

// WriteWav writes a RIFF WAVE file.
func WriteWav(path string, wav Wav) error {
	header := []byte("RIFF")
	header = binary.LittleEndian.AppendUint32(header, uint32(36+len(wav.Samples)))
	header = append(header, "WAVEfmt "...)
	header = binary.LittleEndian.AppendUint32(header, 16)
	header = binary.LittleEndian.AppendUint16(header, 1)
	header = binary.LittleEndian.AppendUint16(header, 1)
	header = binary.LittleEndian.AppendUint32(header, uint32(wav.SampleRateHertz))
	header = binary.LittleEndian.AppendUint32(header, uint32(2*wav.SampleRateHertz))
	header = binary.LittleEndian.AppendUint16(header, 2)
	header = binary.LittleEndian.AppendUint16(header, 16)
	header = append(header, "data"...)
	header = binary.LittleEndian.AppendUint32(header, uint32(len(wav.Samples)))
	return os.WriteFile(path, append(header, wav.Samples...), 0o644)
}
