package tongdai

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// Speech is a voice: one stream, turn after turn. Turn ids are counted here;
// what still comes of a turn that was cancelled is dropped.
type Speech struct {
	// Engine is who speaks.
	Engine *typev1.EngineInfo
	// IsServerLeaving is true once the server asked to open the next turn
	// elsewhere (going_away).
	IsServerLeaving bool

	stream        *stream[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse]
	turnID        int64
	fencedThrough int64
}

// OpenSpeech opens a stream that gives 16-bit samples. Of config the audio
// format is filled in.
func OpenSpeech(ctx context.Context, c *Connection, sampleRateHertz int, config *ttsv1.SynthesisConfig) (*Speech, error) {
	config.AudioFormat = linear16(sampleRateHertz)
	request := &ttsv1.StreamingSynthesizeRequest{Request: &ttsv1.StreamingSynthesizeRequest_Config{Config: config}}
	method := func(ctx context.Context, on grpc.ClientConnInterface) (
		grpc.BidiStreamingClient[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse], error,
	) {
		return ttsv1.NewTtsServiceClient(on).StreamingSynthesize(ctx)
	}
	opened, err := open(ctx, c, method, request)
	if err != nil {
		return nil, err
	}
	return &Speech{Engine: opened.first.GetEngine(), stream: opened}, nil
}

// Say speaks a whole text as one turn and gives its audio and marks up to its
// end. A turn that fails is an *Error with the code FAILED; an error is the
// last value.
func (s *Speech) Say(text string) iter.Seq2[*ttsv1.StreamingSynthesizeResponse, error] {
	s.turnID++
	id := s.turnID
	turn := &ttsv1.TurnText{TurnId: id, Text: text}
	s.stream.send(&ttsv1.StreamingSynthesizeRequest{Request: &ttsv1.StreamingSynthesizeRequest_Text{Text: turn}})
	end := &ttsv1.StreamingSynthesizeRequest_TextEnd{TextEnd: &ttsv1.TextEnd{TurnId: id}}
	s.stream.send(&ttsv1.StreamingSynthesizeRequest{Request: end})
	return func(yield func(*ttsv1.StreamingSynthesizeResponse, error) bool) {
		for {
			response, err := s.stream.recv()
			if errors.Is(err, io.EOF) {
				err = unavailable("ENDED_EARLY", "the stream ended in the middle of a turn")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			switch kind := response.GetResponse().(type) {
			case *ttsv1.StreamingSynthesizeResponse_GoingAway:
				s.IsServerLeaving = true
			case *ttsv1.StreamingSynthesizeResponse_Audio:
				if kind.Audio.GetTurnId() > s.fencedThrough && !yield(response, nil) {
					return
				}
			case *ttsv1.StreamingSynthesizeResponse_SpokenText:
				if kind.SpokenText.GetTurnId() > s.fencedThrough && !yield(response, nil) {
					return
				}
			case *ttsv1.StreamingSynthesizeResponse_TurnEnd:
				if kind.TurnEnd.GetTurnId() == id {
					if yield(response, nil) && kind.TurnEnd.GetOutcome() == typev1.TurnEnd_OUTCOME_FAILED {
						yield(nil, turnFailed(kind.TurnEnd))
					}
					return
				}
			}
		}
	}
}

// CancelTurn stops speaking; the turn still gets its end.
func (s *Speech) CancelTurn() {
	s.fencedThrough = s.turnID
	cancellation := &typev1.Cancellation{TurnId: s.turnID}
	request := &ttsv1.StreamingSynthesizeRequest_Cancellation{Cancellation: cancellation}
	s.stream.send(&ttsv1.StreamingSynthesizeRequest{Request: request})
}

// Close ends the stream in good order.
func (s *Speech) Close() error { return finish(s.stream) }

func finish[Request, Response any](s *stream[Request, Response]) error {
	defer s.cancel()
	s.halfClose()
	for {
		if _, err := s.recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func turnFailed(end *typev1.TurnEnd) *Error {
	return &Error{
		Kind: ErrServer, Code: "FAILED", Reason: end.GetReason(), Message: end.GetMessage(),
		RetryDelay: time.Duration(end.GetRetryDelayMs()) * time.Millisecond,
	}
}
