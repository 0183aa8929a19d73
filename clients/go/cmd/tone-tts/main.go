// Command tone-tts is a minimal TTS server: it speaks a tone, 30 ms for each
// code point, or with the voice espeak-ng where that program is installed. It shows that a stage may be written in any language: the gateway
// uses it where GATEWAY_TTS_TARGET names it, and it passes
// `python -m clients.conformance --service tts` for the features it lists.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	ttsv1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/tts/v1"
	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const (
	serviceName   = "voice.tts.v1.TtsService"
	toneVoice     = "tone"
	espeakVoice   = "espeak-ng"
	maxTextChars  = 5000
	goingAwayTime = 10 * time.Second // how long turns may finish once the server is told to stop
)

type server struct {
	ttsv1.UnimplementedTtsServiceServer
	maxStreams int32
	streams    atomic.Int32
	leaving    chan struct{} // closed when the server is told to stop
}

func engine(maxStreams int32) *typev1.EngineInfo {
	info := &typev1.EngineInfo{
		Name: "tone-go", Model: "tone",
		Limits: &typev1.EngineLimits{MaxStreams: maxStreams, MaxTurnTextChars: maxTextChars},
		Features: []string{
			"text_end", "cancellation", "flush", "rate", "start_offset", "max_lead_ms", "longest_chunk_ms",
			"marks_in_audio", "spoken_text", "concurrent_turns",
		},
	}
	for _, name := range voices() {
		info.Voices = append(info.Voices, &typev1.Voice{Name: name})
	}
	for _, rate := range []int32{8000, 16000, 24000, 48000} {
		info.AudioFormats = append(info.AudioFormats,
			&typev1.AudioFormat{Encoding: typev1.AudioEncoding_AUDIO_ENCODING_LINEAR16, SampleRateHertz: rate})
	}
	for _, encoding := range []typev1.AudioEncoding{
		typev1.AudioEncoding_AUDIO_ENCODING_MULAW, typev1.AudioEncoding_AUDIO_ENCODING_ALAW,
	} {
		info.AudioFormats = append(info.AudioFormats, &typev1.AudioFormat{Encoding: encoding, SampleRateHertz: 8000})
	}
	return info
}

func (s *server) DescribeEngine(
	context.Context, *ttsv1.DescribeEngineRequest,
) (*ttsv1.DescribeEngineResponse, error) {
	return &ttsv1.DescribeEngineResponse{Engine: engine(s.maxStreams)}, nil
}

func (s *server) StreamingSynthesize(
	wire grpc.BidiStreamingServer[ttsv1.StreamingSynthesizeRequest, ttsv1.StreamingSynthesizeResponse],
) error {
	first, err := wire.Recv()
	if err != nil || first.GetConfig() == nil {
		return refusal(codes.InvalidArgument, "FIRST_MESSAGE_NOT_CONFIG", "config", "the first message carries config")
	}
	config := first.GetConfig()
	if err := checkConfig(config); err != nil {
		return err
	}
	if s.streams.Add(1) > s.maxStreams {
		s.streams.Add(-1)
		return refusal(codes.ResourceExhausted, "CAPACITY", "", "every place is taken; try another replica")
	}
	defer s.streams.Add(-1)
	return newCallVoice(wire, config, s.leaving).serve(engine(s.maxStreams))
}

func checkConfig(config *ttsv1.SynthesisConfig) error {
	bad := func(reason, field, message string) error {
		return refusal(codes.InvalidArgument, reason, "config."+field, "config."+field+" "+message)
	}
	format := config.GetAudioFormat()
	isKnownRate := false
	isKnownEncoding := false
	for _, known := range engine(0).GetAudioFormats() {
		if known.GetEncoding() == format.GetEncoding() {
			isKnownEncoding = true
			isKnownRate = isKnownRate || known.GetSampleRateHertz() == format.GetSampleRateHertz()
		}
	}
	switch {
	case format == nil:
		return bad("UNKNOWN_ENCODING", "audio_format", "is missing: name encoding and rate")
	case !isKnownEncoding:
		return bad("UNKNOWN_ENCODING", "audio_format.encoding", "is none of LINEAR16, MULAW, ALAW")
	case !isKnownRate:
		return bad("UNKNOWN_SAMPLE_RATE", "audio_format.sample_rate_hertz", "is not served; DescribeEngine lists the rates")
	case config.GetVoice() != "" && !slices.Contains(voices(), config.GetVoice()):
		return bad("UNKNOWN_VOICE", "voice", "is no voice of this engine; it has "+strings.Join(voices(), ", "))
	case !isRate(config.GetRate()):
		return bad("RATE_OUT_OF_RANGE", "rate", "is not 0.5 to 2.0")
	case config.GetMaxLeadMs() < 0:
		return bad("BAD_MAX_LEAD", "max_lead_ms", "is negative")
	case config.LongestChunkMs != nil && (config.GetLongestChunkMs() < 20 || config.GetLongestChunkMs() > 1000):
		return bad("BAD_CHUNK_LENGTH", "longest_chunk_ms", "is not 20 to 1000")
	}
	return nil
}

func isRate(rate float32) bool { return rate == 0 || (rate >= 0.5 && rate <= 2) }

// refusal is a status with the details that protos/README.md, rule 32, asks for.
func refusal(code codes.Code, reason, field, message string) error {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: serviceName}}
	if field != "" {
		violation := &errdetails.BadRequest_FieldViolation{Field: field, Description: message}
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{violation}})
	}
	if code == codes.ResourceExhausted { // a place may be free in a second
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	}
	made, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		return status.Error(code, message)
	}
	return made.Err()
}

func main() {
	address := flag.String("address", "127.0.0.1:50054", "where to listen")
	certificate := flag.String("tls-cert", "", "PEM chain of the server; off loopback it is needed")
	tokenFile := flag.String("token-file", "", "holds the bearer token that every call must carry; health asks for none")
	key := flag.String("tls-key", "", "PEM private key of it")
	maxStreams := flag.Int("max-streams", 200, "calls at once")
	flag.Parse()
	if err := run(*address, *certificate, *key, *tokenFile, int32(*maxStreams)); err != nil {
		fmt.Fprintf(os.Stderr, "tone-tts: %v\n", err)
		os.Exit(1)
	}
}

func run(address, certificate, key, tokenFile string, maxStreams int32) error {
	options := []grpc.ServerOption{grpc.KeepaliveEnforcementPolicy(
		keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true},
	)}
	if certificate != "" {
		security, err := credentials.NewServerTLSFromFile(certificate, key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(security))
	} else if host, _, err := net.SplitHostPort(address); err != nil || !isLoopback(host) {
		return fmt.Errorf("%s is not a loopback address: it needs --tls-cert and --tls-key", address)
	}
	if tokenFile != "" {
		guards, err := guardsOf(tokenFile)
		if err != nil {
			return err
		}
		options = append(options, guards...)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	service := &server{maxStreams: maxStreams, leaving: make(chan struct{})}
	serving := grpc.NewServer(options...)
	ttsv1.RegisterTtsServiceServer(serving, service)
	state := health.NewServer()
	state.SetServingStatus(serviceName, healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(serving, state)
	reflection.Register(serving)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		state.Shutdown()
		close(service.leaving)
		time.AfterFunc(goingAwayTime, serving.Stop)
		serving.GracefulStop()
	}()
	fmt.Printf("tone-tts listens on %s\n", listener.Addr())
	return serving.Serve(listener)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
