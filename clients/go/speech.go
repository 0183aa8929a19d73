package tongdai

import (
	"context"
	"iter"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// Speech turns text into speech, one text a turn.
type Speech struct {
	// Engine is who speaks.
	Engine *typev1.EngineInfo
	Turns[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse]
}

// OpenSpeech opens a stream that gives 16-bit samples; it lives as long as ctx.
// The audio format of config is filled in.
func OpenSpeech(ctx context.Context, c *Connection, sampleRateHertz int, config *ttsv1.SynthesisConfig) (*Speech, error) {
	speech := &Speech{}
	speech.open = func() (*Stream[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse], error) {
		return open[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse](
			ctx, c, ttsv1.TtsService_StreamingSynthesize_FullMethodName, config, sampleRateHertz)
	}
	var err error
	if speech.stream, err = speech.open(); err != nil {
		return nil, err
	}
	speech.Engine = speech.stream.first.GetEngine()
	return speech, nil
}

// Say speaks a whole text as one turn and gives its audio and marks up to its
// end. A turn that fails is an *Error with the code FAILED; an error is the last
// value.
func (s *Speech) Say(text string) iter.Seq2[*ttsv1.StreamingSynthesizeResponse, error] {
	return func(yield func(*ttsv1.StreamingSynthesizeResponse, error) bool) {
		s.say(func(id int64) {
			s.stream.put("text", &ttsv1.TurnText{TurnId: id, Text: text})
			s.stream.put("text_end", &ttsv1.TextEnd{TurnId: id})
		}, yield)
	}
}
