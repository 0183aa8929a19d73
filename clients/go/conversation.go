package tongdai

import (
	"context"
	"errors"
	"io"
	"iter"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	nluv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/nlu/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const maxHistoryBytes = 12 * 1024 // servers take 16 KiB with the state; the oldest turns go first

// Conversation is a conversation with the agent, turn by turn. It counts turns,
// reports replies as heard, keeps history and state, and goes on elsewhere where
// the server asks for it or a turn failed in a way that a fresh stream may mend.
type Conversation struct {
	// Engine is who answers.
	Engine *typev1.EngineInfo
	// Agent is who the agent is.
	Agent *nluv1.AgentProfile

	ctx             context.Context // of the streams, which outlive the call that opens them
	connection      *Connection
	config          *nluv1.ConversationConfig
	stream          *stream[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse]
	turnID          int64
	fencedThrough   int64
	isServerLeaving bool
}

// OpenConversation opens a conversation, which lives as long as ctx.
func OpenConversation(ctx context.Context, c *Connection, config *nluv1.ConversationConfig) (*Conversation, error) {
	talk := &Conversation{ctx: ctx, connection: c, config: proto.Clone(config).(*nluv1.ConversationConfig)}
	if err := talk.open(); err != nil {
		return nil, err
	}
	talk.Engine, talk.Agent = talk.stream.first.GetEngine().GetEngine(), talk.stream.first.GetEngine().GetAgent()
	return talk, nil
}

func (t *Conversation) open() error {
	if t.stream != nil {
		t.stream.cancel()
	}
	t.isServerLeaving = false
	request := &nluv1.StreamingConverseRequest{Request: &nluv1.StreamingConverseRequest_Config{Config: t.config}}
	method := func(ctx context.Context, on grpc.ClientConnInterface) (
		grpc.BidiStreamingClient[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse], error,
	) {
		return nluv1.NewNluServiceClient(on).StreamingConverse(ctx)
	}
	opened, err := open(t.ctx, t.connection, method, request)
	if err == nil {
		t.stream = opened
	}
	return err
}

// Greet gives the agent's greeting, as Say gives a reply.
func (t *Conversation) Greet() iter.Seq2[*nluv1.StreamingConverseResponse, error] {
	return t.turn(&nluv1.UserTurn{Input: &nluv1.UserTurn_Open{Open: &nluv1.Open{}}})
}

// Say says something and gives the clauses, tools and acts of the reply, up to
// its end. A turn that fails is an *Error with the code FAILED; an error is the
// last value.
func (t *Conversation) Say(text string) iter.Seq2[*nluv1.StreamingConverseResponse, error] {
	return t.turn(&nluv1.UserTurn{Input: &nluv1.UserTurn_Text{Text: text}})
}

func (t *Conversation) turn(turn *nluv1.UserTurn) iter.Seq2[*nluv1.StreamingConverseResponse, error] {
	return func(yield func(*nluv1.StreamingConverseResponse, error) bool) {
		t.turnID++
		turn.TurnId = t.turnID
		if t.isServerLeaving {
			if err := t.open(); err != nil {
				yield(nil, err)
				return
			}
		}
		if t.attempt(turn, true, yield) {
			return
		}
		if err := t.open(); err != nil {
			yield(nil, err)
			return
		}
		t.attempt(turn, false, yield)
	}
}

// attempt sends the turn and hands over its reply. False: it failed before it
// did or said anything, and may be tried again.
func (t *Conversation) attempt(
	turn *nluv1.UserTurn, mayRetry bool, yield func(*nluv1.StreamingConverseResponse, error) bool,
) bool {
	t.stream.send(&nluv1.StreamingConverseRequest{Request: &nluv1.StreamingConverseRequest_UserTurn{UserTurn: turn}})
	reply, hasActed := "", false
	for {
		response, err := t.stream.recv()
		if errors.Is(err, io.EOF) {
			err = unavailable("ENDED_EARLY", "the stream ended in the middle of a turn")
		}
		if err != nil {
			yield(nil, err)
			return true
		}
		switch kind := response.GetResponse().(type) {
		case *nluv1.StreamingConverseResponse_GoingAway:
			t.isServerLeaving = true
			continue
		case *nluv1.StreamingConverseResponse_ReplyText:
			if kind.ReplyText.GetTurnId() <= t.fencedThrough {
				continue
			}
			reply += kind.ReplyText.GetText()
		case *nluv1.StreamingConverseResponse_ToolActivity, *nluv1.StreamingConverseResponse_CallAction:
			hasActed = true
		case *nluv1.StreamingConverseResponse_TurnEnd:
			end := kind.TurnEnd
			if end.GetTurnId() != turn.GetTurnId() {
				continue
			}
			hasFailed := end.GetOutcome() == typev1.TurnEnd_OUTCOME_FAILED
			if hasFailed && end.GetIsRetryable() && mayRetry && reply == "" && !hasActed {
				return false
			}
			if !hasFailed {
				t.takeEnd(turn.GetText(), reply, end)
			}
			if yield(response, nil) && hasFailed {
				yield(nil, turnFailed(end))
			}
			return true
		case nil: // a kind of a later version
			continue
		}
		if !yield(response, nil) {
			return true
		}
	}
}

func (t *Conversation) takeEnd(text, reply string, end *typev1.TurnEnd) {
	if len(end.GetState()) > 0 {
		t.config.State = end.GetState()
	}
	heard := &nluv1.HistoryTurn{TurnId: end.GetTurnId(), UserText: text, HeardText: reply}
	t.config.History = append(t.config.History, heard)
	size := len(t.config.State)
	for _, turn := range t.config.History {
		size += proto.Size(turn)
	}
	for ; size > maxHistoryBytes && len(t.config.History) > 0; t.config.History = t.config.History[1:] {
		size -= proto.Size(t.config.History[0])
	}
	report := &nluv1.PlayoutReport{
		TurnId: end.GetTurnId(), HeardOffset: int64(utf8.RuneCountInString(reply)), IsFinal: true,
	}
	request := &nluv1.StreamingConverseRequest_PlayoutReport{PlayoutReport: report}
	t.stream.send(&nluv1.StreamingConverseRequest{Request: request})
}

// CancelTurn stops the reply; the turn still gets its end.
func (t *Conversation) CancelTurn() {
	t.fencedThrough = t.turnID
	request := &nluv1.StreamingConverseRequest_Cancellation{Cancellation: &typev1.Cancellation{TurnId: t.turnID}}
	t.stream.send(&nluv1.StreamingConverseRequest{Request: request})
}

// Close ends the stream in good order.
func (t *Conversation) Close() error { return finish(t.stream) }
