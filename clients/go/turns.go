package tongdai

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// Turns are the turns of a stream, one after the other: their ids are counted,
// what comes late for another one is dropped, and where the server asked for it
// (going_away) the next one begins on a fresh stream. A turn that is left
// before its end is cancelled.
type Turns[Q, S any] struct {
	stream    *Stream[Q, S]
	swap      sync.Mutex // of stream and id, which CancelTurn and Close take from another goroutine
	open      func() (*Stream[Q, S], error)
	id        int64        // of the newest turn that has begun on the stream
	cancelled atomic.Int64 // the highest id that was cancelled
	isLeaving bool         // the server
}

// say begins a turn by sending what send sends, and yields what comes of it up
// to its end; an error is the last value.
func (t *Turns[Q, S]) say(send func(id int64), yield func(*S, error) bool) {
	if t.isLeaving {
		opened, err := t.open()
		if err != nil {
			yield(nil, err)
			return
		}
		t.stream.Cancel()
		t.swap.Lock()
		t.stream, t.isLeaving = opened, false
		t.swap.Unlock()
	}
	t.swap.Lock() // a cancellation that overtook the turn would make the server drop it
	t.id++
	id := t.id
	send(id)
	t.swap.Unlock()
	for {
		response, err := t.stream.Recv()
		if errors.Is(err, io.EOF) {
			err = unavailable("ENDED_EARLY", "the stream ended in the middle of a turn")
		}
		if err != nil {
			yield(nil, err)
			return
		}
		switch kind := kindOf(response).(type) {
		case *typev1.GoingAway:
			t.isLeaving = true
		case *typev1.TurnEnd:
			if kind.GetTurnId() == id {
				if yield(response, nil) && kind.GetOutcome() == typev1.TurnEnd_OUTCOME_FAILED {
					yield(nil, turnFailed(kind))
				}
				return
			}
		case interface{ GetTurnId() int64 }:
			if kind.GetTurnId() == id && id > t.cancelled.Load() && !yield(response, nil) {
				t.CancelTurn()
				return
			}
		}
	}
}

// CancelTurn stops the turn, from any goroutine; it still gets its end.
func (t *Turns[Q, S]) CancelTurn() {
	t.swap.Lock()
	id, stream := t.id, t.stream
	t.swap.Unlock()
	t.cancelled.Store(id)
	stream.put("cancellation", &typev1.Cancellation{TurnId: id})
}

// Close ends the stream in good order.
func (t *Turns[Q, S]) Close() error {
	t.swap.Lock()
	stream := t.stream
	t.swap.Unlock()
	return stream.Close()
}

// kindOf gives the message that a response carries; nil: of a later version.
func kindOf(response any) any {
	message := response.(proto.Message).ProtoReflect()
	field := message.WhichOneof(message.Descriptor().Oneofs().Get(0))
	if field == nil {
		return nil
	}
	return message.Get(field).Message().Interface()
}
