package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"

	tongdai "github.com/tong-dai/tong-dai/clients/go"
	callv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/call/v1"
)

const (
	greetingLimit = 10 * time.Second       // then the caller speaks without having been greeted
	stagger       = 100 * time.Millisecond // between the beginnings of several calls
	audible       = 330                    // the smallest sample of a voice: -40 dBFS
)

// conversed is what happened on one call.
type conversed struct {
	heard    []byte
	cause    string
	answerMs float64 // from the caller's last frame to the first audible one of the answer; below 0: none
	latency  float64 // the last turn's, in ms, as the gateway has it in the turn's record
}

func call(ctx context.Context, connection *tongdai.Connection, given *given) (int, error) {
	in, out := given.operands[0], given.operands[1]
	if in == "-" && given.is("calls") {
		return 2, errors.New("--calls needs a file")
	}
	if given.whole("calls") > 0 {
		return callOften(ctx, connection, given)
	}
	sound, rate, err := given.source(in)
	if err != nil {
		return 2, err
	}
	done, err := converse(ctx, connection, sound, rate, given, true)
	if err != nil {
		return 1, err
	}
	if err := tongdai.WriteWav(out, tongdai.Wav{SampleRateHertz: rate, Samples: done.heard}); err != nil {
		return 2, err
	}
	if done.cause == "FAILURE" {
		return 1, nil
	}
	return 0, nil
}

// callOften makes several calls at once and prints their figures.
func callOften(ctx context.Context, connection *tongdai.Connection, given *given) (int, error) {
	wav, err := tongdai.ReadWav(given.operands[0])
	if err != nil {
		return 2, err
	}
	results := make([]*conversed, given.whole("calls"))
	failures := make([]error, given.whole("calls"))
	var calls sync.WaitGroup
	for number := range given.whole("calls") {
		calls.Go(func() {
			time.Sleep(time.Duration(number) * stagger)
			sound := bytes.NewReader(wav.Samples)
			results[number], failures[number] = converse(ctx, connection, sound, wav.SampleRateHertz, given, false)
		})
	}
	calls.Wait()
	figures := struct {
		Calls     int       `json:"calls"`
		Failed    int       `json:"failed"`
		AnswerMs  []float64 `json:"answer_ms"`
		LatencyMs []float64 `json:"latency_ms"`
		CPUS      float64   `json:"cpu_s"`
	}{Calls: given.whole("calls"), AnswerMs: []float64{}, LatencyMs: []float64{}}
	var first *conversed
	for number, result := range results {
		var failed *tongdai.Error
		if errors.As(failures[number], &failed) {
			figures.Failed++
			fmt.Fprintf(os.Stderr, "call: %s\n", summary(failed))
			continue
		}
		if first == nil {
			first = result
		}
		if result.answerMs >= 0 {
			figures.AnswerMs = append(figures.AnswerMs, result.answerMs)
			figures.LatencyMs = append(figures.LatencyMs, result.latency)
		}
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 2, err
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	figures.CPUS = math.Round(cpu.Seconds()*1000) / 1000
	line, err := json.Marshal(figures)
	if err != nil {
		return 2, err
	}
	tell("%s\n", line)
	if first != nil {
		out := tongdai.Wav{SampleRateHertz: wav.SampleRateHertz, Samples: first.heard}
		if err := tongdai.WriteWav(given.operands[1], out); err != nil {
			return 2, err
		}
	}
	return min(1, figures.Failed), nil
}

// converse makes one call from its beginning to its end.
func converse(
	ctx context.Context, connection *tongdai.Connection, sound io.Reader, rate int, given *given, isPrinted bool,
) (*conversed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	up, err := tongdai.OpenCall(ctx, connection, rate, &callv1.CallConfig{
		TenantId: given.text("tenant"), AgentId: given.text("agent"), LanguageCodes: given.languages(),
		Caller: given.text("caller"),
	})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	note := func(line string) {
		if isPrinted {
			tell("%8.3f %s\n", time.Since(began).Seconds(), line)
		}
	}
	note(fmt.Sprintf("answered agent=%s language=%s rate=%d",
		up.Info.GetAgentId(), up.Info.GetLanguageCode(), rate))
	greeted := make(chan struct{})
	var greet sync.Once
	var spokeLast atomic.Pointer[time.Time]
	go func() {
		if !given.is("at-once") && given.operands[0] != "-" {
			silence := &silence{until: greeted, left: 2 * int(greetingLimit.Seconds()) * rate}
			sound = io.MultiReader(silence, sound)
		}
		if up.Speak(ctx, sound) == nil {
			now := time.Now()
			spokeLast.Store(&now)
		}
		up.HalfClose() // also where stdin cannot be read any more
	}()
	done := &conversed{answerMs: -1}
	for {
		response, err := up.Recv()
		if errors.Is(err, io.EOF) {
			done.heard = up.Heard
			return done, nil
		}
		if err != nil {
			return nil, err
		}
		switch kind := response.GetResponse().(type) {
		case *callv1.ConnectCallResponse_Audio:
			if last := spokeLast.Load(); last != nil && done.answerMs < 0 && isAudible(kind.Audio.GetContent()) {
				done.answerMs = math.Round(float64(time.Since(*last).Microseconds())/100) / 10
			}
		case *callv1.ConnectCallResponse_Event:
			if kind.Event.GetFloorChange().GetTo() == callv1.Floor_FLOOR_LISTENING {
				greet.Do(func() { close(greeted) })
			}
			if turn := kind.Event.GetTurn(); turn != nil {
				done.latency = math.Round(float64(turn.GetLatencyUs())/100) / 10
			}
			if line := lineOf(kind.Event); line != "" {
				note(line)
			}
		case *callv1.ConnectCallResponse_End:
			done.cause = strings.TrimPrefix(kind.End.GetCause().String(), "CAUSE_")
			note(fmt.Sprintf("ended %s turns=%d", done.cause, kind.End.GetTurnCount()))
		}
	}
}

// silence is sound of zeros until something has happened, or so many bytes.
type silence struct {
	until <-chan struct{}
	left  int
}

func (s *silence) Read(frame []byte) (int, error) {
	select {
	case <-s.until:
		return 0, io.EOF
	default:
	}
	size := min(len(frame), s.left)
	if s.left -= size; size == 0 {
		return 0, io.EOF
	}
	clear(frame[:size])
	return size, nil
}

// lineOf is what the transcript says of an event; empty: nothing.
func lineOf(event *callv1.CallEvent) string {
	switch kind := event.GetEvent().(type) {
	case *callv1.CallEvent_CallerText:
		if kind.CallerText.GetIsSettled() && kind.CallerText.GetText() != "" {
			return "caller: " + kind.CallerText.GetText()
		}
	case *callv1.CallEvent_Turn:
		line := "agent: " + kind.Turn.GetHeardText()
		if kind.Turn.GetIsGatewayPrompt() {
			line = "gateway: " + kind.Turn.GetHeardText()
		}
		if kind.Turn.GetOutcome() != callv1.TurnRecord_OUTCOME_COMPLETED {
			line += " [" + outcomeOf(kind.Turn) + "]"
		}
		return line
	case *callv1.CallEvent_StageTrouble:
		trouble := kind.StageTrouble
		return fmt.Sprintf("trouble %s %s %s", trouble.GetStage(), trouble.GetReason(), trouble.GetRemedy())
	case *callv1.CallEvent_LineTrouble:
		return "line " + kind.LineTrouble.GetCause()
	}
	return ""
}

func outcomeOf(turn *callv1.TurnRecord) string {
	return strings.TrimPrefix(turn.GetOutcome().String(), "OUTCOME_")
}

func isAudible(content []byte) bool {
	for at := 0; at+1 < len(content); at += 2 {
		sample := int16(uint16(content[at]) | uint16(content[at+1])<<8)
		if sample > audible || sample < -audible {
			return true
		}
	}
	return false
}

// watch prints every turn as it ends.
func watch(ctx context.Context, connection *tongdai.Connection, given *given) (int, error) {
	var broken error // by the program's own fault, or behind the first turn
	err := connection.OnReplica(ctx, func(client *grpc.ClientConn) error {
		request := &callv1.WatchCallsRequest{CallId: given.text("call")}
		events, err := callv1.NewCallGatewayServiceClient(client).WatchCalls(ctx, request)
		if err != nil {
			return err
		}
		hasBegun := false
		for turns := 0; turns == 0 || turns != given.whole("count"); {
			response, err := events.Recv()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil && hasBegun: // what has been told is not told again by another replica
				broken = tongdai.ErrorOf(err)
				return nil
			case err != nil:
				return err
			}
			hasBegun = true
			if lost := response.GetDroppedEvents(); lost > 0 {
				fmt.Fprintf(os.Stderr, "watch: %d events lost\n", lost)
			}
			if response.GetEvent().GetTurn() == nil {
				continue
			}
			if broken = printTurn(response.GetEvent()); broken != nil {
				return nil
			}
			turns++
		}
		return nil
	})
	return 0, cmp.Or(err, broken)
}

func printTurn(event *callv1.CallEvent) error {
	turn := event.GetTurn()
	var line strings.Builder
	lines := json.NewEncoder(&line)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(struct {
		CallID          string `json:"call_id"`
		TurnID          int64  `json:"turn_id"`
		Outcome         string `json:"outcome"`
		UserText        string `json:"user_text"`
		HeardText       string `json:"heard_text"`
		EndReason       string `json:"end_reason"`
		StopReason      string `json:"stop_reason"`
		IsGatewayPrompt bool   `json:"is_gateway_prompt"`
		LatencyMs       int64  `json:"latency_ms"`
	}{
		event.GetCallId(), turn.GetTurnId(), outcomeOf(turn), turn.GetUserText(), turn.GetHeardText(),
		turn.GetEndReason(), turn.GetStopReason(), turn.GetIsGatewayPrompt(), turn.GetLatencyUs() / 1000,
	}); err != nil {
		return err
	}
	tell("%s", separators.Replace(line.String()))
	return nil
}

// separators writes line and paragraph separators as they are, as JSON has them
// in other languages; a backslash that stands for itself is passed over.
var separators = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")
