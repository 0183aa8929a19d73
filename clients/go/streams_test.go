package tongdai

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	callv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/call/v1"
	nluv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/nlu/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// playedBack stands for the stream of gRPC: it plays back responses and keeps
// requests.
type playedBack struct {
	grpc.ClientStream
	responses []proto.Message
	sent      []proto.Message
}

func (p *playedBack) SendMsg(message any) error {
	p.sent = append(p.sent, message.(proto.Message))
	return nil
}

func (p *playedBack) CloseSend() error { return nil }

func (p *playedBack) RecvMsg(message any) error {
	if len(p.responses) == 0 {
		return io.EOF
	}
	proto.Merge(message.(proto.Message), p.responses[0])
	p.responses = p.responses[1:]
	return nil
}

func on[Q, S any](wire *playedBack) *Stream[Q, S] {
	alive, cancel := context.WithCancel(context.Background())
	return &Stream[Q, S]{wire: grpc.GenericClientStream[Q, S]{ClientStream: wire}, alive: alive, cancel: cancel}
}

func talking(responses ...proto.Message) (*Conversation, *playedBack) {
	wire := &playedBack{responses: responses}
	talk := &Conversation{config: &nluv1.ConversationConfig{}}
	talk.stream = on[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse](wire)
	return talk, wire
}

func clause(id int64, text string) proto.Message {
	reply := &nluv1.ReplyText{TurnId: id, Text: text}
	return &nluv1.StreamingConverseResponse{Response: &nluv1.StreamingConverseResponse_ReplyText{ReplyText: reply}}
}

func end(id int64, outcome typev1.TurnEnd_Outcome) proto.Message {
	end := &typev1.TurnEnd{TurnId: id, Outcome: outcome}
	return &nluv1.StreamingConverseResponse{Response: &nluv1.StreamingConverseResponse_TurnEnd{TurnEnd: end}}
}

// told gives the kinds of the requests, and the offsets of the reports.
func (p *playedBack) told() (kinds []string, offsets []int64) {
	for _, message := range p.sent {
		fields := message.ProtoReflect()
		kinds = append(kinds, string(fields.WhichOneof(fields.Descriptor().Oneofs().Get(0)).Name()))
		if report := message.(*nluv1.StreamingConverseRequest).GetPlayoutReport(); report != nil {
			offsets = append(offsets, report.GetHeardOffset())
		}
	}
	return kinds, offsets
}

func TestAPlaceThatCannotBeOnTheClockIsAnError(t *testing.T) {
	for _, sample := range []int64{-1, -1 << 62, 1 << 62} {
		audio := &callv1.ConnectCallResponse_Audio{Audio: &typev1.AudioChunk{StartSample: sample, Content: make([]byte, 320)}}
		discard := &callv1.ConnectCallResponse_AudioDiscard{AudioDiscard: &callv1.AudioDiscard{FromSample: sample}}
		for _, response := range []*callv1.ConnectCallResponse{{Response: audio}, {Response: discard}} {
			wire := &playedBack{responses: []proto.Message{response}}
			call := &Call{Stream: on[callv1.ConnectCallRequest, callv1.ConnectCallResponse](wire)}
			var failed *Error
			if _, err := call.Recv(); !errors.As(err, &failed) || failed.Reason != "BAD_SAMPLE" || len(call.Heard) != 0 {
				t.Errorf("sample %d: %v", sample, err)
			}
		}
	}
}

func TestTheServerIsToldARateOfZeroToo(t *testing.T) {
	told := make(chan *callv1.CallConfig, 1)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		request := new(callv1.ConnectCallRequest)
		if err := stream.RecvMsg(request); err != nil {
			return err
		}
		told <- request.GetConfig()
		return status.Error(codes.InvalidArgument, "0 Hz is not served")
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	connection, err := Connect(Options{Targets: []string{listener.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := OpenCall(context.Background(), connection, 0, &callv1.CallConfig{}); !errors.Is(err, ErrBadRequest) {
		t.Errorf("a call without a rate: %v", err)
	}
	if (<-told).GetAudioFormat().GetEncoding() != typev1.AudioEncoding_AUDIO_ENCODING_LINEAR16 {
		t.Error("the format was left to the server")
	}
}

func TestAReplyThatIsLeftIsCancelledAndReported(t *testing.T) {
	completed := typev1.TurnEnd_OUTCOME_COMPLETED
	talk, wire := talking(clause(1, "One 👋,"), end(1, completed), clause(2, "Two."), end(2, completed))
	for range talk.Say("Go.") {
		break
	}
	for _, err := range talk.Say("On.") {
		if err != nil {
			t.Fatal(err)
		}
	}
	kinds, offsets := wire.told()
	if !slices.Equal(kinds, []string{"user_turn", "cancellation", "playout_report", "user_turn", "playout_report"}) {
		t.Error(kinds)
	}
	if !slices.Equal(offsets, []int64{6, 4}) || len(talk.config.GetHistory()) != 2 {
		t.Error(offsets, talk.config.GetHistory())
	}
}

func TestWhatWasHeardOfATurnThatFailedIsReported(t *testing.T) {
	failed := typev1.TurnEnd_OUTCOME_FAILED
	talk, wire := talking(clause(1, "One,"), end(1, failed), end(2, failed))
	for _, text := range []string{"Go.", "On."} {
		var last error
		for _, last = range talk.Say(text) {
			continue
		}
		if !errors.Is(last, ErrServer) {
			t.Error(last)
		}
	}
	if _, offsets := wire.told(); !slices.Equal(offsets, []int64{4}) {
		t.Error(offsets)
	}
}

func TestACancellationDoesNotOvertakeItsTurn(t *testing.T) {
	talk, wire := talking(end(1, typev1.TurnEnd_OUTCOME_CANCELLED))
	cancelled := make(chan struct{})
	talk.say(func(id int64) {
		go func() {
			talk.CancelTurn()
			close(cancelled)
		}()
		time.Sleep(20 * time.Millisecond)
		talk.stream.put("user_turn", &nluv1.UserTurn{TurnId: id})
	}, func(*nluv1.StreamingConverseResponse, error) bool { return true })
	<-cancelled
	if kinds, _ := wire.told(); !slices.Equal(kinds, []string{"user_turn", "cancellation"}) {
		t.Error(kinds)
	}
}

func TestAStreamThatIsOverLetsGoOfItsContext(t *testing.T) {
	stream := on[nluv1.StreamingConverseRequest, nluv1.StreamingConverseResponse](&playedBack{})
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) || stream.alive.Err() == nil {
		t.Error(err, stream.alive.Err())
	}
}
