package tongdai

import (
	"context"
	"io"

	sttv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/stt/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// Recognition turns sound into text.
type Recognition struct {
	// Engine is who listens.
	Engine *typev1.EngineInfo
	// IsServerLeaving is true once the server asked to open the next utterance
	// elsewhere (going_away). Recv sets it; read it in the same goroutine.
	IsServerLeaving bool
	*Stream[sttv1.StreamingRecognizeRequest, sttv1.StreamingRecognizeResponse]

	sound *outgoing
}

// OpenRecognition opens a stream that takes 16-bit samples; it lives as long as
// ctx. The audio format of config is filled in.
func OpenRecognition(
	ctx context.Context, c *Connection, sampleRateHertz int, config *sttv1.RecognitionConfig,
) (*Recognition, error) {
	opened, err := open[sttv1.StreamingRecognizeRequest, sttv1.StreamingRecognizeResponse](
		ctx, c, sttv1.SttService_StreamingRecognize_FullMethodName, config, sampleRateHertz)
	if err != nil {
		return nil, err
	}
	sound := &outgoing{rate: sampleRateHertz, put: opened.put}
	sound.next.Store(config.GetStartSample())
	return &Recognition{Engine: opened.first.GetEngine(), Stream: opened, sound: sound}, nil
}

// Hear sends 16-bit little-endian samples of a file or a microphone up to their
// end, in frames of 20 ms, no faster than real time where isPaced.
func (r *Recognition) Hear(ctx context.Context, sound io.Reader, isPaced bool) error {
	return r.sound.speak(ctx, sound, isPaced)
}

// EndUtterance says that the turn is over: settle everything that Hear has sent.
func (r *Recognition) EndUtterance() {
	r.put("utterance_end", &sttv1.UtteranceEnd{EndSample: r.sound.next.Load()})
}

// Recv gives the next thing that was heard, io.EOF at the end, else an *Error.
func (r *Recognition) Recv() (*sttv1.StreamingRecognizeResponse, error) {
	response, err := r.Stream.Recv()
	r.IsServerLeaving = r.IsServerLeaving || response.GetGoingAway() != nil
	return response, err
}
