// Command tong-dai runs a program: call, watch, say, hear or chat.
// docs/CLIENTS.md describes flags and output, the same in every language.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"

	tongdai "github.com/tong-dai/tong-dai/clients/go"
)

type program struct {
	target   string
	operands []string
	run      func(context.Context, *tongdai.Connection, *given) (int, error)
}

var programs = map[string]program{
	"call":  {"127.0.0.1:50051", []string{"IN.wav", "OUT.wav"}, call},
	"watch": {"127.0.0.1:50051", nil, watch},
	"say":   {"127.0.0.1:50054", []string{"TEXT", "OUT.wav"}, say},
	"hear":  {"127.0.0.1:50052", []string{"IN.wav"}, hear},
	"chat":  {"127.0.0.1:50053", nil, chat},
}

func main() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		<-interrupted
		os.Exit(130)
	}()
	os.Exit(start(os.Args[1:]))
}

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
	flags := arguments
	if at := slices.Index(arguments, "--"); at >= 0 {
		flags = arguments[:at] // what follows are operands
	}
	if slices.Contains(flags, "--help") {
		tell("%s", help(name, chosen))
		return 0
	}
	code, err := run(name, chosen, arguments[1:])
	return explain(name, code, err)
}

func run(name string, chosen program, arguments []string) (int, error) {
	given, err := parse(name, chosen, arguments)
	if err != nil {
		return 2, err
	}
	how, err := given.options()
	if err != nil {
		return 2, err
	}
	connection, err := tongdai.Connect(how)
	if err != nil {
		return 2, err
	}
	defer func() { _ = connection.Close() }()
	return chosen.run(context.Background(), connection, given)
}

// source opens a WAV, or stdin where the path is "-": samples of --sample-rate,
// as a microphone gives them.
func (g *given) source(path string) (sound io.Reader, rate int, err error) {
	if path == "-" {
		stdin := bufio.NewReader(os.Stdin)
		if _, err := stdin.Peek(2); err != nil {
			return nil, 0, errors.New("-: the file has no samples")
		}
		return stdin, g.whole("sample-rate"), nil
	}
	wav, err := tongdai.ReadWav(path)
	return bytes.NewReader(wav.Samples), wav.SampleRateHertz, err
}

// tell prints on stdout; the program ends where that cannot be written, as where
// the disk is full.
func tell(format string, values ...any) {
	if _, err := fmt.Printf(format, values...); err != nil {
		os.Exit(141)
	}
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
