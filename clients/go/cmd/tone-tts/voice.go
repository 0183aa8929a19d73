package main

import (
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// callVoice is one stream: which turns live, which are fenced, and what is sent.
// Requests are read by one goroutine, each turn is spoken by one of its own.
type callVoice struct {
	wire    grpc.BidiStreamingServer[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse]
	config  *ttsv1.SynthesisConfig
	leaving <-chan struct{}
	failed  chan error // the status of the stream, where a failed turn is to fail it
	sending sync.Mutex
	turns   sync.WaitGroup

	// Of the reading goroutine alone.
	live          []*turn // begun and not known to have ended, oldest first; two at most are spoken
	lastBegun     int64
	fencedThrough int64
	fenced        map[int64]bool // single ids
}

func newCallVoice(
	wire grpc.BidiStreamingServer[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse],
	config *ttsv1.SynthesisConfig, leaving <-chan struct{},
) *callVoice {
	return &callVoice{
		wire: wire, config: config, leaving: leaving, failed: make(chan error, 1), fenced: map[int64]bool{},
	}
}

// send sends a response; a client that is gone ends the stream elsewhere.
func (v *callVoice) send(response *ttsv1.StreamingSynthesizeResponse) {
	v.sending.Lock()
	defer v.sending.Unlock()
	_ = v.wire.Send(response)
}

// serve serves the stream to its end.
func (v *callVoice) serve(info *typev1.EngineInfo) error {
	v.send(&ttsv1.StreamingSynthesizeResponse{Response: &ttsv1.StreamingSynthesizeResponse_Engine{Engine: info}})
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-over:
		case <-v.leaving:
			going := &typev1.GoingAway{DeadlineMs: int32(goingAwayTime.Milliseconds())}
			v.send(&ttsv1.StreamingSynthesizeResponse{
				Response: &ttsv1.StreamingSynthesizeResponse_GoingAway{GoingAway: going},
			})
		}
	}()
	requests := make(chan error, 1)
	go func() { requests <- v.read() }()
	select {
	case err := <-v.failed:
		return err
	case err := <-requests:
		if err != nil {
			return err
		}
	}
	spoken := make(chan struct{})
	go func() {
		v.turns.Wait()
		close(spoken)
	}()
	select {
	case err := <-v.failed:
		return err
	case <-v.wire.Context().Done():
		return v.wire.Context().Err()
	case <-spoken:
	}
	select {
	case err := <-v.failed:
		return err
	default:
		return nil
	}
}

// read takes requests up to the half-close, which implies text_end.
func (v *callVoice) read() error {
	for {
		request, err := v.wire.Recv()
		if errors.Is(err, io.EOF) {
			for _, one := range v.live {
				one.finishText()
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch kind := request.GetRequest().(type) {
		case *ttsv1.StreamingSynthesizeRequest_Config:
			return refusal(codes.InvalidArgument, "SECOND_CONFIG", "config", "config comes once")
		case *ttsv1.StreamingSynthesizeRequest_Text:
			err = v.onText(kind.Text)
		case *ttsv1.StreamingSynthesizeRequest_TextEnd:
			err = v.onTextEnd(kind.TextEnd.GetTurnId())
		case *ttsv1.StreamingSynthesizeRequest_Cancellation:
			v.onCancellation(kind.Cancellation)
		}
		if err != nil {
			return err
		}
	}
}

func (v *callVoice) onText(text *ttsv1.TurnText) error {
	id := text.GetTurnId()
	switch {
	case v.isFenced(id):
		return nil
	case id < 1:
		return refusal(codes.InvalidArgument, "BAD_TURN_ID", "text.turn_id", "text.turn_id is below 1")
	case id < v.lastBegun:
		return refusal(codes.InvalidArgument, "TURN_ID_NOT_INCREASING", "text.turn_id", "text.turn_id goes back")
	}
	one := v.find(id)
	if one == nil {
		one = v.begin(id, int(text.GetStartOffset()))
	} else if one.isWhole {
		return refusal(codes.InvalidArgument, "TEXT_AFTER_TEXT_END", "text.turn_id", "the text of this turn was whole")
	}
	if reason, field, message := one.add(text); reason != "" {
		v.fenced[id] = true // a failed turn takes no more
		one.fail(reason, field, message)
	}
	return nil
}

func (v *callVoice) onTextEnd(id int64) error {
	if v.isFenced(id) || id < v.lastBegun {
		return nil
	}
	if id < 1 {
		return refusal(codes.InvalidArgument, "BAD_TURN_ID", "text_end.turn_id", "text_end.turn_id is below 1")
	}
	one := v.find(id)
	if one == nil {
		one = v.begin(id, 0)
	}
	one.finishText()
	return nil
}

func (v *callVoice) onCancellation(cancellation *typev1.Cancellation) {
	id := cancellation.GetTurnId()
	if cancellation.GetScope() == typev1.Cancellation_SCOPE_ONLY {
		v.fenced[id] = true
	} else {
		v.fencedThrough = max(v.fencedThrough, id)
	}
	for _, one := range v.live {
		if v.isFenced(one.id) {
			one.cancel()
		}
	}
}

// begin begins a turn. While one is spoken the next is made ready; a third
// replaces the second.
func (v *callVoice) begin(id int64, startOffset int) *turn {
	var underWay []*turn
	for _, one := range v.live {
		if !one.isOver() {
			underWay = append(underWay, one)
		}
	}
	if len(underWay) > 1 {
		v.fenced[underWay[1].id] = true
		underWay[1].cancel()
	}
	one := newTurn(v, id, startOffset)
	v.live = append(underWay, one)
	v.lastBegun = id
	v.turns.Go(one.speak)
	return one
}

// language is the likeliest of the call's.
func (v *callVoice) language() string {
	if tags := v.config.GetLanguageCodes(); len(tags) > 0 {
		return tags[0]
	}
	return ""
}

func (v *callVoice) find(id int64) *turn {
	for _, one := range v.live {
		if one.id == id {
			return one
		}
	}
	return nil
}

func (v *callVoice) isFenced(id int64) bool { return id <= v.fencedThrough || v.fenced[id] }
