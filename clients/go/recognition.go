package tongdai

import (
	"context"
	"time"

	"google.golang.org/grpc"

	sttv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/stt/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// Recognition is an ear: sound in, what was said out. Samples are counted here.
type Recognition struct {
	// Engine is who listens.
	Engine *typev1.EngineInfo
	// IsServerLeaving is true once the server asked to open the next utterance
	// elsewhere (going_away).
	IsServerLeaving bool

	stream     *stream[sttv1.StreamingRecognizeRequest, sttv1.StreamingRecognizeResponse]
	rate       int
	nextSample int64
}

// OpenRecognition opens a stream that takes 16-bit samples. Of config the audio
// format is filled in.
func OpenRecognition(
	ctx context.Context, c *Connection, sampleRateHertz int, config *sttv1.RecognitionConfig,
) (*Recognition, error) {
	config.AudioFormat = linear16(sampleRateHertz)
	request := &sttv1.StreamingRecognizeRequest{Request: &sttv1.StreamingRecognizeRequest_Config{Config: config}}
	method := func(ctx context.Context, on grpc.ClientConnInterface) (
		grpc.BidiStreamingClient[sttv1.StreamingRecognizeRequest, sttv1.StreamingRecognizeResponse], error,
	) {
		return sttv1.NewSttServiceClient(on).StreamingRecognize(ctx)
	}
	opened, err := open(ctx, c, method, request)
	if err != nil {
		return nil, err
	}
	return &Recognition{
		Engine: opened.first.GetEngine(), stream: opened, rate: sampleRateHertz, nextSample: config.GetStartSample(),
	}, nil
}

// Hear sends 16-bit little-endian samples in frames of 20 ms, in real time where
// isPaced.
func (r *Recognition) Hear(ctx context.Context, samples []byte, isPaced bool) error {
	size := 2 * (r.rate / 50)
	for due := time.Now(); len(samples) > 0; due = due.Add(frameTime) {
		if isPaced {
			if err := sleepUntil(ctx, due); err != nil {
				return err
			}
		}
		frame := samples[:min(size, len(samples))]
		samples = samples[len(frame):]
		chunk := &typev1.AudioChunk{StartSample: r.nextSample, Content: frame}
		r.nextSample += int64(len(frame) / 2)
		r.stream.send(&sttv1.StreamingRecognizeRequest{Request: &sttv1.StreamingRecognizeRequest_Audio{Audio: chunk}})
	}
	return ctx.Err()
}

// EndUtterance says that the turn is over: settle everything sent so far.
func (r *Recognition) EndUtterance() {
	end := &sttv1.StreamingRecognizeRequest_UtteranceEnd{UtteranceEnd: &sttv1.UtteranceEnd{EndSample: r.nextSample}}
	r.stream.send(&sttv1.StreamingRecognizeRequest{Request: end})
}

// HalfClose says that no more sound comes: what is open is settled, then the
// stream ends.
func (r *Recognition) HalfClose() { r.stream.halfClose() }

// Close gives the stream up, if it is still there.
func (r *Recognition) Close() { r.stream.cancel() }

// Recv gives the next thing that was heard, io.EOF at the end, else an *Error.
// Call it at all times.
func (r *Recognition) Recv() (*sttv1.StreamingRecognizeResponse, error) {
	response, err := r.stream.recv()
	if err == nil && response.GetGoingAway() != nil {
		r.IsServerLeaving = true
	}
	return response, err
}
