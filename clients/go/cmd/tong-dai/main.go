// Command tong-dai runs a program: call, watch, say, hear or chat.
// docs/CLIENTS.md describes flags and output, the same in every language.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	tongdai "github.com/tong-dai/tong-dai/clients/go"
)

type options struct {
	target, tlsCA, tlsCert, tlsKey, tokenFile, tenant, agent, language string
	deadline                                                           float64
	rounds                                                             int

	isAtOnce    bool
	caller      string
	calls       int
	callID      string
	count       int
	voice       string
	rate        float64
	sampleRate  int
	isFast      bool
	positionals []string
}

func (o *options) languages() []string {
	return strings.FieldsFunc(o.language, func(r rune) bool { return r == ',' })
}

type program struct {
	target   string
	operands []string
	run      func(context.Context, *tongdai.Connection, *options) (int, error)
	flags    func(*flag.FlagSet, *options)
}

var programs = map[string]program{
	"call": {"127.0.0.1:50051", []string{"IN.wav", "OUT.wav"}, call, func(f *flag.FlagSet, o *options) {
		f.BoolVar(&o.isAtOnce, "at-once", false, "speak without waiting for the greeting")
		f.StringVar(&o.caller, "caller", "", "who calls: E.164 or a SIP URI")
		f.IntVar(&o.calls, "calls", 0, "so many calls at once, and one line of figures")
	}},
	"watch": {"127.0.0.1:50051", nil, watch, func(f *flag.FlagSet, o *options) {
		f.StringVar(&o.callID, "call", "", "this call alone")
		f.IntVar(&o.count, "count", 0, "end after so many turns")
	}},
	"say": {"127.0.0.1:50054", []string{"TEXT", "OUT.wav"}, say, func(f *flag.FlagSet, o *options) {
		f.StringVar(&o.voice, "voice", "", "a voice of the engine")
		f.Float64Var(&o.rate, "rate", 0, "speaking rate, 0.5 to 2")
		f.IntVar(&o.sampleRate, "sample-rate", 8000, "in Hz")
	}},
	"hear": {"127.0.0.1:50052", []string{"IN.wav"}, hear, func(f *flag.FlagSet, o *options) {
		f.BoolVar(&o.isFast, "fast", false, "faster than real time")
	}},
	"chat": {"127.0.0.1:50053", nil, chat, func(*flag.FlagSet, *options) {}},
}

func main() { os.Exit(start(os.Args[1:])) }

// start returns 0: it went well; 1: the server refused or failed; 2: an option
// or a file is wrong.
func start(arguments []string) int {
	name := "help"
	if len(arguments) > 0 {
		name = arguments[0]
	}
	chosen, isKnown := programs[name]
	if !isKnown {
		fmt.Fprintln(os.Stderr, "usage: tong-dai call|watch|say|hear|chat [--help]")
		return 2
	}
	given, err := parse(name, chosen, arguments[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, chosen, given)
	if ctx.Err() != nil {
		return 130
	}
	return explain(name, code, err)
}

func parse(name string, chosen program, arguments []string) (*options, error) {
	given := &options{}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&given.target, "target", chosen.target, "HOST:PORT,...: replicas, tried in this order")
	flags.StringVar(&given.tlsCA, "tls-ca", "", "PEM certificates that sign the server's")
	flags.StringVar(&given.tlsCert, "tls-cert", "", "PEM chain of this client, for mTLS")
	flags.StringVar(&given.tlsKey, "tls-key", "", "PEM private key of it")
	flags.StringVar(&given.tokenFile, "token-file", "", "holds the bearer token")
	flags.StringVar(&given.tenant, "tenant", "", "whose call it is")
	flags.StringVar(&given.agent, "agent", "", "which agent answers")
	flags.StringVar(&given.language, "language", "", "TAG,...: BCP-47, likeliest first")
	flags.Float64Var(&given.deadline, "deadline", 10, "seconds for a replica's first response")
	flags.IntVar(&given.rounds, "rounds", 1, "how often the replicas are tried")
	chosen.flags(flags, given)
	for {
		if err := flags.Parse(arguments); err != nil {
			return nil, err
		}
		if arguments = flags.Args(); len(arguments) == 0 {
			break
		}
		given.positionals = append(given.positionals, arguments[0]) // flags may follow
		arguments = arguments[1:]
	}
	if len(given.positionals) != len(chosen.operands) {
		return nil, fmt.Errorf("needed: %s", strings.Join(append([]string{name}, chosen.operands...), " "))
	}
	return given, nil
}

func run(ctx context.Context, chosen program, given *options) (int, error) {
	how := tongdai.Options{
		Targets: strings.Split(given.target, ","), TLSCAFile: given.tlsCA,
		TLSCertificateFile: given.tlsCert, TLSKeyFile: given.tlsKey,
		OpenLimit: time.Duration(given.deadline * float64(time.Second)), Rounds: given.rounds,
	}
	if given.tokenFile != "" {
		token, err := os.ReadFile(given.tokenFile)
		if err != nil {
			return 2, err
		}
		how.Token = strings.TrimSpace(string(token))
	}
	connection, err := tongdai.Connect(how)
	if err != nil {
		return 2, err
	}
	defer func() { _ = connection.Close() }()
	return chosen.run(ctx, connection, given)
}

// explain prints an error, its first line the same in every language.
func explain(name string, code int, err error) int {
	var failed *tongdai.Error
	var file *fs.PathError
	switch {
	case err == nil:
		return code
	case errors.As(err, &failed):
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, summary(failed))
		retry := ""
		if failed.RetryDelay > 0 {
			retry = fmt.Sprintf(" (try again in %.1f s)", failed.RetryDelay.Seconds())
		}
		fmt.Fprintf(os.Stderr, "  %s%s\n", failed.Message, retry)
		return 1
	case errors.As(err, &file):
		fmt.Fprintf(os.Stderr, "%s: %s: cannot be opened\n  %v\n", name, file.Path, file.Err)
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	return 2
}

func summary(failed *tongdai.Error) string {
	return strings.TrimSpace(failed.Code + " " + failed.Reason)
}
