package tongdai

import (
	"context"
	"iter"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	nluv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/nlu/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const maxHistoryBytes = 12 * 1024 // servers take 16 KiB with the state; the oldest turns go first

// Conversation is a conversation with the agent. It reports replies as heard,
// and goes on with history and state where the server asks for it.
type Conversation struct {
	// Engine is who answers, Agent who the agent is.
	Engine *typev1.EngineInfo
	Agent  *nluv1.AgentProfile
	Turns[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse]

	config *nluv1.ConversationConfig
}

// OpenConversation opens a conversation, which lives as long as ctx.
func OpenConversation(ctx context.Context, c *Connection, config *nluv1.ConversationConfig) (*Conversation, error) {
	talk := &Conversation{config: &nluv1.ConversationConfig{}}
	proto.Merge(talk.config, config)
	talk.open = func() (*Stream[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse], error) {
		return open[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse](
			ctx, c, nluv1.NluService_StreamingConverse_FullMethodName, talk.config, 0)
	}
	var err error
	if talk.stream, err = talk.open(); err != nil {
		return nil, err
	}
	talk.Engine, talk.Agent = talk.stream.first.GetEngine().GetEngine(), talk.stream.first.GetEngine().GetAgent()
	return talk, nil
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
		reply, isTaken := "", false
		t.say(func(id int64) {
			turn.TurnId = id
			t.stream.put("user_turn", turn)
		}, func(response *nluv1.StreamingConverseResponse, err error) bool {
			reply += response.GetReplyText().GetText()
			if end := response.GetTurnEnd(); end != nil {
				t.takeEnd(turn, reply, end)
				isTaken = true
			}
			return yield(response, err)
		})
		if !isTaken && turn.GetTurnId() > 0 {
			t.takeEnd(turn, reply, nil)
		}
	}
}

// takeEnd keeps and reports what was heard; end is nil of a turn that was left, or
// whose stream broke.
func (t *Conversation) takeEnd(turn *nluv1.UserTurn, reply string, end *typev1.TurnEnd) {
	if len(end.GetState()) > 0 {
		t.config.State = end.GetState()
	}
	if end.GetOutcome() == typev1.TurnEnd_OUTCOME_FAILED && reply == "" {
		return // nothing was heard, and what was said may be what cannot be taken
	}
	heard := &nluv1.HistoryTurn{TurnId: turn.GetTurnId(), UserText: turn.GetText(), HeardText: reply}
	t.config.History = append(t.config.History, heard)
	for len(t.config.History) > 0 && proto.Size(t.config) > maxHistoryBytes {
		t.config.History = t.config.History[1:]
	}
	offset := int64(utf8.RuneCountInString(reply))
	t.stream.put("playout_report", &nluv1.PlayoutReport{TurnId: turn.GetTurnId(), HeardOffset: offset, IsFinal: true})
}
