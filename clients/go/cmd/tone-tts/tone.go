package main

import (
	"math"
	"math/bits"

	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const (
	lowestHertz = 400
	stepHertz   = 25
	tones       = 64
	amplitude   = 8000 // -12 dBFS
)

// tone gives samples of a turn's tone, from one of the turn on. The frequency
// says which turn is heard: 400 + 25 * (id mod 64) Hz.
func tone(hertz int, turnID int64, from, size int) []int16 {
	frequency := float64(lowestHertz + stepHertz*(turnID%tones))
	step := 2 * math.Pi * frequency / float64(hertz)
	samples := make([]int16, size)
	for at := range samples {
		samples[at] = int16(math.Round(amplitude * math.Sin(step*float64(from+at))))
	}
	return samples
}

// encode gives samples as a format has them.
func encode(format *typev1.AudioFormat, samples []int16) []byte {
	content := make([]byte, 0, 2*len(samples))
	for _, sample := range samples {
		switch format.GetEncoding() {
		case typev1.AudioEncoding_AUDIO_ENCODING_MULAW:
			content = append(content, mulaw(sample))
		case typev1.AudioEncoding_AUDIO_ENCODING_ALAW:
			content = append(content, alaw(sample))
		default:
			content = append(content, byte(sample), byte(uint16(sample)>>8))
		}
	}
	return content
}

// mulaw encodes a sample by ITU-T G.711, section 3.2.
func mulaw(sample int16) byte {
	magnitude, sign := int(sample), byte(0)
	if magnitude < 0 {
		magnitude, sign = -magnitude, 0x80
	}
	magnitude = min(magnitude, 32635) + 132
	exponent := bits.Len(uint(magnitude)) - 8
	return ^(sign | byte(exponent)<<4 | byte(magnitude>>(exponent+3)&0x0F))
}

// alaw encodes a sample by ITU-T G.711, section 3.1.
func alaw(sample int16) byte {
	magnitude, sign := int(sample)>>3, byte(0x80)
	if magnitude < 0 {
		magnitude, sign = ^magnitude, 0
	}
	encoded := byte(magnitude >> 1)
	if exponent := bits.Len(uint(magnitude)) - 5; exponent > 0 {
		encoded = byte(exponent)<<4 | byte(magnitude>>exponent&0x0F)
	}
	return (sign | encoded) ^ 0x55
}
