package tongdai

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"

	callv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/call/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const frameTime = 20 * time.Millisecond

// Call is one call through the gateway; the program is the caller. Sound is
// 16-bit PCM, little-endian, and goes out paced in frames of 20 ms.
type Call struct {
	// Info is the call as the gateway knows it.
	Info *callv1.CallInfo
	// SampleRateHertz holds both ways.
	SampleRateHertz int
	// Heard is the agent's sound from the call's first sample on, silence
	// included. Recv fills it; read it in the same goroutine.
	Heard []byte
	// End says why the call is over, once it is.
	End *callv1.CallEnd
	// ReportsPlayed reports each chunk as played when it comes, so that the
	// gateway need not take for heard what is still on its way. Such a call ends
	// with HangUp: after HalfClose nothing can be reported.
	ReportsPlayed bool

	stream     *stream[callv1.ConnectCallRequest, callv1.ConnectCallResponse]
	nextSample int64
}

// OpenCall calls the gateway. Of config the audio format is filled in. The call
// lives as long as ctx.
func OpenCall(ctx context.Context, c *Connection, sampleRateHertz int, config *callv1.CallConfig) (*Call, error) {
	config.AudioFormat = linear16(sampleRateHertz)
	request := &callv1.ConnectCallRequest{Request: &callv1.ConnectCallRequest_Config{Config: config}}
	method := func(ctx context.Context, on grpc.ClientConnInterface) (
		grpc.BidiStreamingClient[callv1.ConnectCallRequest, callv1.ConnectCallResponse], error,
	) {
		return callv1.NewCallGatewayServiceClient(on).ConnectCall(ctx)
	}
	opened, err := open(ctx, c, method, request)
	if err != nil {
		return nil, err
	}
	return &Call{Info: opened.first.GetCall(), SampleRateHertz: sampleRateHertz, stream: opened}, nil
}

// Speak sends samples in real time and returns when the last frame has left. A
// last frame that is not full is filled with silence.
func (c *Call) Speak(ctx context.Context, samples []byte) error {
	size := 2 * (c.SampleRateHertz / 50)
	for due := time.Now(); len(samples) > 0; due = due.Add(frameTime) {
		if err := sleepUntil(ctx, due); err != nil {
			return err
		}
		frame := make([]byte, size)
		samples = samples[copy(frame, samples):]
		c.sendFrame(frame)
	}
	return nil
}

// SpeakSilence sends silence in real time until a channel is closed or limit
// has passed.
func (c *Call) SpeakSilence(ctx context.Context, until <-chan struct{}, limit time.Duration) error {
	frame := make([]byte, 2*(c.SampleRateHertz/50))
	began := time.Now()
	for due := began; due.Sub(began) < limit; due = due.Add(frameTime) {
		if err := sleepUntil(ctx, due); err != nil {
			return err
		}
		select {
		case <-until:
			return nil
		default:
			c.sendFrame(frame)
		}
	}
	return nil
}

func (c *Call) sendFrame(frame []byte) {
	chunk := &typev1.AudioChunk{StartSample: c.nextSample, Content: frame}
	c.nextSample += int64(len(frame) / 2)
	c.stream.send(&callv1.ConnectCallRequest{Request: &callv1.ConnectCallRequest_Audio{Audio: chunk}})
}

// Press presses a key: 0-9, A-D, * or #.
func (c *Call) Press(digit string) {
	key := &callv1.ConnectCallRequest_Dtmf{Dtmf: &callv1.Dtmf{Digit: digit}}
	c.stream.send(&callv1.ConnectCallRequest{Request: key})
}

// HalfClose says nothing more and listens: the call ends after the reply to
// what was sent.
func (c *Call) HalfClose() { c.stream.halfClose() }

// HangUp hangs up.
func (c *Call) HangUp() {
	c.stream.send(&callv1.ConnectCallRequest{Request: &callv1.ConnectCallRequest_Hangup{Hangup: &callv1.Hangup{}}})
}

// Close drops the call without a word, if it is still there.
func (c *Call) Close() { c.stream.cancel() }

// Recv gives the next thing the gateway says, io.EOF when the call is over, else
// an *Error, also where the stream ends before the call. Call it at all times.
func (c *Call) Recv() (*callv1.ConnectCallResponse, error) {
	response, err := c.stream.recv()
	if errors.Is(err, io.EOF) && c.End == nil {
		return nil, unavailable("ENDED_EARLY", "the stream ended before the call did")
	}
	if err != nil {
		return nil, err
	}
	switch kind := response.GetResponse().(type) {
	case *callv1.ConnectCallResponse_Audio:
		c.play(kind.Audio)
	case *callv1.ConnectCallResponse_AudioDiscard:
		c.Heard = c.Heard[:min(len(c.Heard), int(2*kind.AudioDiscard.GetFromSample()))]
	case *callv1.ConnectCallResponse_End:
		c.End = kind.End
	}
	return response, nil
}

func (c *Call) play(audio *typev1.AudioChunk) {
	at := int(2 * audio.GetStartSample())
	if missing := at - len(c.Heard); missing > 0 { // nothing was said meanwhile
		c.Heard = append(c.Heard, make([]byte, missing)...)
	}
	c.Heard = append(c.Heard[:at], audio.GetContent()...)
	if c.ReportsPlayed {
		played := &callv1.Played{Sample: int64(len(c.Heard) / 2)}
		c.stream.send(&callv1.ConnectCallRequest{Request: &callv1.ConnectCallRequest_Played{Played: played}})
	}
}

// Watch gives what happens on one call, or on all with an empty id, from now
// on. Before the first event the other replicas are tried. An error is an
// *Error and the last value.
func Watch(ctx context.Context, c *Connection, callID string) iter.Seq2[*callv1.WatchCallsResponse, error] {
	return func(yield func(*callv1.WatchCallsResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for number, client := range c.clients {
			hasBegun := false
			request := &callv1.WatchCallsRequest{CallId: callID}
			events, err := callv1.NewCallGatewayServiceClient(client).WatchCalls(ctx, request)
			for err == nil {
				var response *callv1.WatchCallsResponse
				if response, err = events.Recv(); err == nil {
					hasBegun = true
					if !yield(response, nil) {
						return
					}
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			failure := errorOf(err)
			if hasBegun || number == len(c.clients)-1 || !failure.IsElsewhereWorthwhile() {
				yield(nil, failure)
				return
			}
		}
	}
}

func linear16(sampleRateHertz int) *typev1.AudioFormat {
	return &typev1.AudioFormat{
		Encoding: typev1.AudioEncoding_AUDIO_ENCODING_LINEAR16, SampleRateHertz: int32(sampleRateHertz),
	}
}

func sleepUntil(ctx context.Context, due time.Time) error {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
