package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	tongdai "github.com/tong-dai/tong-dai/clients/go"
)

// flags are the flags of all programs, the same text in every language:
// name|value|the programs that have it, empty for all|meaning.
const flags = `agent|ID||which agent answers
at-once||call|speaks without waiting for the greeting
call|ID|watch|this call alone
caller|NUMBER|call|who calls: E.164 or a SIP URI
calls|N|call|N calls from this process, 100 ms apart; prints one JSON line of figures
count|N|watch|ends after N turns
deadline|S||seconds that a replica has for its first response; 10
fast||hear|sends faster than real time; the text is the same
language|TAG,...||BCP-47, likeliest first
rate|R|say|how fast the voice speaks: 0.5 to 2
rounds|N||how often the replicas are tried, with the server's wait in between; 1
sample-rate|HZ|call,hear,say|of what is said, and of stdin; 8000, 16000, 24000 or 48000; 8000
target|HOST:PORT,...||replicas, tried in this order; the service's port on 127.0.0.1
tenant|ID||whose call it is
tls-ca|FILE||PEM certificates that sign the server's; turns TLS on
tls-cert|FILE||PEM chain of this client, for mTLS
tls-key|FILE||PEM key of this client in PKCS #8, for mTLS
token-file|FILE||holds the bearer token
voice|NAME|say|a voice of the engine`

const (
	port    = `([0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])`
	address = `([^\s:/,\[\]]+|\[[0-9A-Fa-f:.]+\]):` + port
)

var (
	number  = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)
	whole   = regexp.MustCompile(`^[0-9]{1,9}$`)
	rates   = regexp.MustCompile(`^(8000|16000|24000|48000)$`)
	targets = regexp.MustCompile("^" + address + "(," + address + ")*$")
	token   = regexp.MustCompile(`^[!-~]+$`)
)

// given is what a command line says.
type given struct {
	operands []string
	values   map[string]string
}

func (g *given) text(flag string) string { return g.values[flag] }
func (g *given) is(flag string) bool     { return g.values[flag] != "" }

func (g *given) number(flag string) float64 {
	value, _ := strconv.ParseFloat(g.values[flag], 64) // parse has seen to it
	return value
}

func (g *given) whole(flag string) int { return int(g.number(flag)) }

func (g *given) languages() []string {
	return strings.FieldsFunc(g.values["language"], func(r rune) bool { return r == ',' })
}

// parse reads a command line; flags and operands come in any order.
func parse(name string, chosen program, arguments []string) (*given, error) {
	found := &given{values: map[string]string{
		"target": chosen.target, "deadline": "10", "rounds": "1", "sample-rate": "8000",
	}}
	for at := 0; at < len(arguments); at++ {
		flag, isFlag := strings.CutPrefix(arguments[at], "--")
		if !isFlag {
			found.operands = append(found.operands, arguments[at])
			continue
		}
		if flag == "" { // what follows are operands
			found.operands = append(found.operands, arguments[at+1:]...)
			break
		}
		flag, value, hasValue := strings.Cut(flag, "=")
		kind, isKnown := flagsOf(name)[flag]
		switch {
		case !isKnown:
			return nil, fmt.Errorf("unknown flag --%s", flag)
		case kind == "" && hasValue:
			return nil, fmt.Errorf("--%s takes no value", flag)
		case kind == "":
			value = "yes"
		case !hasValue && at+1 == len(arguments):
			return nil, fmt.Errorf("--%s needs a value", flag)
		case !hasValue:
			at++
			value = arguments[at]
		}
		switch {
		case kind == "N" && !whole.MatchString(value):
			return nil, fmt.Errorf("--%s wants a whole number: %s", flag, value)
		case kind == "HZ" && !rates.MatchString(value):
			return nil, fmt.Errorf("--%s wants 8000, 16000, 24000 or 48000: %s", flag, value)
		case slices.Contains([]string{"R", "S"}, kind) && !isNumber(value):
			return nil, fmt.Errorf("--%s wants a number: %s", flag, value)
		case flag == "target" && !targets.MatchString(value):
			return nil, fmt.Errorf("--target wants HOST:PORT,...: %s", value)
		}
		found.values[flag] = value
	}
	if len(found.operands) != len(chosen.operands) {
		return nil, fmt.Errorf("needed: %s", strings.Join(append([]string{name}, chosen.operands...), " "))
	}
	return found, nil
}

// isNumber says whether a value is a number above 0.
func isNumber(value string) bool {
	found, err := strconv.ParseFloat(value, 64)
	return number.MatchString(value) && err == nil && found > 0
}

// flagsOf gives the flags of a program, each with what its value is.
func flagsOf(program string) map[string]string {
	found := map[string]string{}
	for line := range strings.SplitSeq(flags, "\n") {
		if parts := strings.Split(line, "|"); parts[2] == "" || slices.Contains(strings.Split(parts[2], ","), program) {
			found[parts[0]] = parts[1]
		}
	}
	return found
}

func help(name string, chosen program) string {
	text := fmt.Sprintf("usage: tong-dai %s [flags]\n", strings.Join(append([]string{name}, chosen.operands...), " "))
	for line := range strings.SplitSeq(flags, "\n") {
		parts := strings.Split(line, "|")
		if _, has := flagsOf(name)[parts[0]]; has {
			text += fmt.Sprintf("  %-24s%s\n", strings.TrimSpace("--"+parts[0]+" "+parts[1]), parts[3])
		}
	}
	return text
}

// options reads the files that say how to reach a service.
func (g *given) options() (tongdai.Options, error) {
	how := tongdai.Options{
		Targets: strings.Split(g.text("target"), ","), TLSCAFile: g.text("tls-ca"),
		TLSCertificateFile: g.text("tls-cert"), TLSKeyFile: g.text("tls-key"),
		OpenLimit: time.Duration(g.number("deadline") * float64(time.Second)), Rounds: g.whole("rounds"),
	}
	if g.is("tls-cert") != g.is("tls-key") || (g.is("tls-cert") && !g.is("tls-ca")) {
		return how, fmt.Errorf("--tls-cert and --tls-key go together, with --tls-ca")
	}
	for _, flag := range []string{"tls-ca", "tls-cert", "tls-key"} {
		if !g.is(flag) {
			continue
		}
		content, err := os.ReadFile(g.text(flag))
		if err != nil {
			return how, err
		}
		if !bytes.Contains(content, []byte("-----BEGIN ")) {
			return how, fmt.Errorf("%s: no PEM file", g.text(flag))
		}
		if flag == "tls-ca" && !x509.NewCertPool().AppendCertsFromPEM(content) {
			return how, fmt.Errorf("%s: no PEM file", g.text(flag))
		}
	}
	if g.is("tls-cert") {
		if _, err := tls.LoadX509KeyPair(how.TLSCertificateFile, how.TLSKeyFile); err != nil {
			return how, fmt.Errorf("%s, %s: no certificate and its key", how.TLSCertificateFile, how.TLSKeyFile)
		}
	}
	if g.is("token-file") {
		content, err := os.ReadFile(g.text("token-file"))
		if err != nil {
			return how, err
		}
		if how.Token = strings.TrimSpace(string(content)); !token.MatchString(how.Token) {
			return how, fmt.Errorf("%s: holds no token", g.text("token-file"))
		}
	}
	return how, nil
}
