package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"

	tongdai "github.com/tong-dai/tong-dai/clients/go"
	nluv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/nlu/v1"
	sttv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/stt/v1"
	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
)

func say(ctx context.Context, connection *tongdai.Connection, given *given) (int, error) {
	speech, err := tongdai.OpenSpeech(ctx, connection, given.whole("sample-rate"), &ttsv1.SynthesisConfig{
		TenantId: given.text("tenant"), AgentId: given.text("agent"), LanguageCodes: given.languages(),
		Voice: given.text("voice"), Rate: float32(given.number("rate")), MaxLeadMs: proto.Int32(0),
	})
	if err != nil {
		return 1, err
	}
	tell("engine %s %s\n", speech.Engine.GetName(), speech.Engine.GetModel())
	wav := tongdai.Wav{SampleRateHertz: given.whole("sample-rate")}
	for response, err := range speech.Say(strings.ToValidUTF8(given.operands[0], "\uFFFD")) {
		if err != nil {
			return 1, err
		}
		wav.Samples = append(wav.Samples, response.GetAudio().GetChunk().GetContent()...)
	}
	if err := speech.Close(); err != nil {
		return 1, err
	}
	if err := tongdai.WriteWav(given.operands[1], wav); err != nil {
		return 2, err
	}
	tell("spoken %d samples at %d Hz\n", len(wav.Samples)/2, given.whole("sample-rate"))
	return 0, nil
}

func hear(ctx context.Context, connection *tongdai.Connection, given *given) (int, error) {
	sound, rate, err := given.source(given.operands[0])
	if err != nil {
		return 2, err
	}
	recognition, err := tongdai.OpenRecognition(ctx, connection, rate, &sttv1.RecognitionConfig{
		TenantId: given.text("tenant"), AgentId: given.text("agent"), LanguageCodes: given.languages(),
	})
	if err != nil {
		return 1, err
	}
	defer recognition.Cancel()
	tell("engine %s %s\n", recognition.Engine.GetName(), recognition.Engine.GetModel())
	go func() {
		_ = recognition.Hear(ctx, sound, !given.is("fast")) // where stdin cannot be read any more, that is its end
		recognition.HalfClose()
	}()
	at := func(sample int64) float64 { // in whole milliseconds: languages round halves differently
		return float64(sample*1000/int64(rate)) / 1000
	}
	for {
		response, err := recognition.Recv()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 1, err
		}
		switch kind := response.GetResponse().(type) {
		case *sttv1.StreamingRecognizeResponse_SpeechActivity:
			edge := strings.TrimPrefix(kind.SpeechActivity.GetKind().String(), "KIND_")
			tell("%8.3f speech %s\n", at(kind.SpeechActivity.GetSample()), strings.ToLower(edge))
		case *sttv1.StreamingRecognizeResponse_Transcript:
			text := kind.Transcript
			stage := strings.ToLower(strings.TrimPrefix(text.GetStage().String(), "STAGE_"))
			tell("%8.3f %s: %s\n", at(text.GetEndSample()), stage, text.GetText())
		case *sttv1.StreamingRecognizeResponse_UtteranceSettled:
			settled := kind.UtteranceSettled
			if settled.GetOutcome() == sttv1.UtteranceSettled_OUTCOME_FAILED {
				return 1, &tongdai.Error{
					Kind: tongdai.ErrServer, Code: "FAILED", Reason: settled.GetReason(), Message: settled.GetMessage(),
				}
			}
		}
	}
}

func chat(ctx context.Context, connection *tongdai.Connection, given *given) (int, error) {
	talk, err := tongdai.OpenConversation(ctx, connection, &nluv1.ConversationConfig{
		TenantId: given.text("tenant"), AgentId: given.text("agent"), LanguageCodes: given.languages(),
	})
	if err != nil {
		return 1, err
	}
	tell("engine %s %s agent=%s\n", talk.Engine.GetName(), talk.Engine.GetModel(), talk.Agent.GetAgentId())
	input := bufio.NewReader(os.Stdin)
	reply := talk.Greet()
	for {
		var acts []string
		hasBegun := false
		for response, err := range reply {
			var failed *tongdai.Error
			if errors.As(err, &failed) && failed.Code == "FAILED" {
				if hasBegun {
					tell("\n")
				}
				tell("failed: %s\n", failed.Reason)
				hasBegun = false
				break
			}
			if err != nil {
				return 1, err
			}
			switch kind := response.GetResponse().(type) {
			case *nluv1.StreamingConverseResponse_ReplyText:
				if !hasBegun {
					tell("agent: ")
				}
				hasBegun = true
				tell("%s", kind.ReplyText.GetText())
			case *nluv1.StreamingConverseResponse_CallAction:
				acts = append(acts, actOf(kind.CallAction))
			}
		}
		if hasBegun {
			tell("\n")
		}
		isOver := false
		for _, act := range acts {
			tell("action: %s\n", act)
			isOver = isOver || act == "hang_up"
		}
		if isOver {
			break
		}
		line := nextLine(input)
		if line == "" {
			break
		}
		reply = talk.Say(line)
	}
	return 0, talk.Close()
}

// blanks are those of ASCII alone: languages disagree about what else is one.
const blanks = " \t\r\n\v\f"

// nextLine is the next line that is not empty; empty at the end.
func nextLine(input *bufio.Reader) string {
	for {
		read, err := input.ReadString('\n')
		if line := strings.Trim(strings.ToValidUTF8(read, "\uFFFD"), blanks); line != "" || err != nil {
			return line
		}
	}
}

func actOf(action *nluv1.CallAction) string {
	switch kind := action.GetAction().(type) {
	case *nluv1.CallAction_HangUp:
		return "hang_up"
	case *nluv1.CallAction_Transfer:
		return "transfer " + kind.Transfer.GetDestination()
	case *nluv1.CallAction_SendDtmf:
		return "send_dtmf " + kind.SendDtmf.GetDigits()
	case *nluv1.CallAction_SwitchLanguage:
		return "switch_language " + kind.SwitchLanguage.GetLanguageCode()
	}
	return "unknown"
}
