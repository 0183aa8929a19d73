package tongdai

import (
	"context"
	"errors"
	"io"

	callv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/call/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// maxHole is the silence that is kept, in samples: nine hours at 8 kHz. A server
// that leaves more has lost its clock.
const maxHole = 1 << 28

// Call is one call through the gateway; the program is the caller. Sound is
// 16-bit PCM, little-endian.
type Call struct {
	// Info is the call as the gateway knows it.
	Info *callv1.CallInfo
	// Heard is the agent's sound from the call's first sample on, silence
	// included: 58 MB an hour at 8 kHz. Recv fills it; read it in the same
	// goroutine.
	Heard []byte
	// End says why the call is over, once it is.
	End *callv1.CallEnd
	// ReportsPlayed reports each chunk as played when it comes, so that the
	// gateway need not take for heard what is still on its way. Such a call ends
	// with HangUp: after HalfClose nothing can be reported.
	ReportsPlayed bool
	*Stream[callv1.ConnectCallRequest, callv1.ConnectCallResponse]

	sound *outgoing
}

// OpenCall calls the gateway. The audio format of config is filled in. The call
// lives as long as ctx.
func OpenCall(ctx context.Context, c *Connection, sampleRateHertz int, config *callv1.CallConfig) (*Call, error) {
	opened, err := open[callv1.ConnectCallRequest, callv1.ConnectCallResponse](
		ctx, c, callv1.CallGatewayService_ConnectCall_FullMethodName, config, sampleRateHertz)
	if err != nil {
		return nil, err
	}
	sound := &outgoing{rate: sampleRateHertz, put: opened.put}
	return &Call{Info: opened.first.GetCall(), Stream: opened, sound: sound}, nil
}

// Speak sends the sound of a file or a microphone up to its end, in frames of
// 20 ms, no faster than real time.
func (c *Call) Speak(ctx context.Context, sound io.Reader) error {
	return c.sound.speak(ctx, sound, true)
}

// HangUp hangs up at once. After HalfClose the call ends with the reply to what
// was sent.
func (c *Call) HangUp() { c.put("hangup", &callv1.Hangup{}) }

// Recv gives the next thing the gateway says, io.EOF when the call is over, else
// an *Error, also where the stream ends before the call.
func (c *Call) Recv() (*callv1.ConnectCallResponse, error) {
	response, err := c.Stream.Recv()
	if errors.Is(err, io.EOF) && c.End == nil {
		return nil, unavailable("ENDED_EARLY", "the stream ended before the call did")
	}
	switch kind := response.GetResponse().(type) {
	case *callv1.ConnectCallResponse_Audio:
		if at := kind.Audio.GetStartSample(); !c.isPlace(at) {
			return nil, badSample(at)
		}
		c.play(kind.Audio)
	case *callv1.ConnectCallResponse_AudioDiscard:
		from := kind.AudioDiscard.GetFromSample()
		if !c.isPlace(from) {
			return nil, badSample(from)
		}
		c.Heard = c.Heard[:min(len(c.Heard), int(2*from))]
	case *callv1.ConnectCallResponse_End:
		c.End = kind.End
	}
	return response, err
}

// isPlace says whether there can be such a sample on the agent's clock.
func (c *Call) isPlace(sample int64) bool {
	return sample >= 0 && sample <= int64(len(c.Heard)/2+maxHole)
}

func (c *Call) play(audio *typev1.AudioChunk) {
	at := int(2 * audio.GetStartSample())
	silence := max(0, at-len(c.Heard)) // nothing was said meanwhile
	c.Heard = append(append(c.Heard, make([]byte, silence)...)[:at], audio.GetContent()...)
	if c.ReportsPlayed {
		c.put("played", &callv1.Played{Sample: int64(len(c.Heard) / 2)})
	}
}
