// A program of another team's: what its streams say when it gives them up, when
// the server dies meanwhile, and when it reports sound behind its half-close.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	tongdai "github.com/tong-dai/tong-dai/clients/go"
	callv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/call/v1"
	nluv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/nlu/v1"
	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
)

func main() {
	connection, err := tongdai.Connect(tongdai.Options{Targets: []string{os.Args[2]}})
	if err == nil {
		err = map[string]func(*tongdai.Connection) error{"cancel": cancel, "idle": idle, "report": report, "hurry": hurry, "leave": leave}[os.Args[1]](connection)
	}
	fmt.Println(told(err))
}

func told(err error) string {
	for name, kind := range map[string]error{
		"given up": context.Canceled, "unavailable": tongdai.ErrUnavailable, "server": tongdai.ErrServer,
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	return fmt.Sprint(err)
}

func cancel(connection *tongdai.Connection) error {
	alive, giveUp := context.WithCancel(context.Background())
	speech, err := tongdai.OpenSpeech(alive, connection, 8000, &ttsv1.SynthesisConfig{})
	if err != nil {
		return err
	}
	for _, err := range speech.Say("Hello.") {
		if err != nil {
			return err
		}
		giveUp()
	}
	return nil
}

func idle(connection *tongdai.Connection) error {
	speech, err := tongdai.OpenSpeech(context.Background(), connection, 8000, &ttsv1.SynthesisConfig{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	for _, err := range speech.Say("Hello.") {
		if err != nil {
			return err
		}
	}
	return nil
}

func hurry(connection *tongdai.Connection) error {
	for range 100 {
		alive, giveUp := context.WithCancel(context.Background())
		call, err := tongdai.OpenCall(alive, connection, 8000, &callv1.CallConfig{})
		if err != nil {
			giveUp()
			return err
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			for alive.Err() == nil {
				call.HangUp()
			}
		}()
		time.Sleep(5 * time.Millisecond)
		giveUp()
		call.HalfClose()
		<-over
	}
	return context.Canceled
}

func leave(connection *tongdai.Connection) error {
	talk, err := tongdai.OpenConversation(context.Background(), connection, &nluv1.ConversationConfig{})
	if err != nil {
		return err
	}
	for _, err := range talk.Say("One.") {
		if err != nil {
			return err
		}
		break
	}
	for _, err := range talk.Say("Two.") {
		if err != nil {
			return err
		}
	}
	return cmp.Or(talk.Close(), errors.New("left"))
}

func report(connection *tongdai.Connection) error {
	call, err := tongdai.OpenCall(context.Background(), connection, 8000, &callv1.CallConfig{})
	if err != nil {
		return err
	}
	call.ReportsPlayed = true
	call.HalfClose()
	for {
		if _, err := call.Recv(); errors.Is(err, io.EOF) {
			return fmt.Errorf("heard %d", len(call.Heard)/2)
		} else if err != nil {
			return err
		}
	}
}
