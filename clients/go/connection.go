// Package tongdai is the client of the four services of Tổng Đài: a call
// through the gateway, speech, recognition and a conversation with the agent.
//
// OpenCall, OpenSpeech, OpenRecognition and OpenConversation open a stream on
// the first replica of a Connection that serves. Every error of a stream is an
// *Error. The rules of the streams are in protos/README.md.
package tongdai

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const longestWait = 30 * time.Second // a server's wish to wait longer is not followed

// Options say how to reach a service. TLS is on where TLSCAFile is given; with
// certificate and key it is mutual.
type Options struct {
	// Targets are replicas, "host:port" each, in the order they are tried.
	Targets []string
	// TLSCAFile holds PEM certificates that sign the server's.
	TLSCAFile string
	// TLSCertificateFile and TLSKeyFile are PEM files of this client, for mTLS.
	TLSCertificateFile, TLSKeyFile string
	// Token is a bearer token; empty sends none. Without TLS it goes to
	// loopback addresses only.
	Token string
	// OpenLimit is how long a replica may take for its first response; 0: 10 s.
	OpenLimit time.Duration
	// Rounds is how often the replicas are tried, with the wait of RetryInfo in
	// between; 0: once.
	Rounds int
}

// Connection holds the replicas of one service. Close it when done.
type Connection struct {
	// Clients are the connections to them, for what is called by generated code.
	Clients []*grpc.ClientConn
	options Options
}

// Connect prepares connections; none is made before a stream is opened. The
// error is of a file of the options, of a target that is none, or of a token
// that would leave this machine in plain text.
func Connect(options Options) (*Connection, error) {
	if options.OpenLimit == 0 {
		options.OpenLimit = 10 * time.Second
	}
	security, err := options.security()
	if err != nil {
		return nil, err
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		// Servers refuse to be pinged oftener than every 10 s.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 20 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDisableRetry(),
	}
	if options.Token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer(options.Token)))
	}
	connection := &Connection{options: options}
	for _, target := range options.Targets {
		if options.Token != "" && options.TLSCAFile == "" && !isLoopback(target) {
			err = fmt.Errorf("the bearer token would go to %s over plain text: use TLS", target)
			return nil, errors.Join(err, connection.Close())
		}
		client, err := grpc.NewClient(target, dial...)
		if err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		connection.Clients = append(connection.Clients, client)
	}
	return connection, nil
}

// Close closes the connections; streams that are open break.
func (c *Connection) Close() error {
	var failed []error
	for _, client := range c.Clients {
		failed = append(failed, client.Close())
	}
	return errors.Join(failed...)
}

func (o Options) security() (credentials.TransportCredentials, error) {
	if o.TLSCAFile == "" {
		return insecure.NewCredentials(), nil
	}
	authority, err := os.ReadFile(o.TLSCAFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !config.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s: no PEM certificate", o.TLSCAFile)
	}
	if o.TLSCertificateFile != "" {
		own, err := tls.LoadX509KeyPair(o.TLSCertificateFile, o.TLSKeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(config), nil
}

func isLoopback(target string) bool {
	host, _, _ := net.SplitHostPort(target)
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (b bearer) RequireTransportSecurity() bool { return false } // Connect has seen to it

// OnReplica tries a method of generated code on the replicas in turn until one
// serves. Those that are full or away are passed over, and tried again as Rounds
// and RetryInfo say. The error is an *Error.
func (c *Connection) OnReplica(ctx context.Context, try func(*grpc.ClientConn) error) error {
	failure := unavailable("", "no target was given")
	for round := range max(1, c.options.Rounds) {
		if round > 0 {
			wait := min(cmp.Or(failure.RetryDelay, time.Second), longestWait)
			if err := sleep(ctx, wait); err != nil {
				return ErrorOf(err)
			}
		}
		for _, client := range c.Clients {
			err := try(client)
			if err == nil {
				return nil
			}
			if failure = ErrorOf(err); !failure.IsElsewhereWorthwhile() {
				return failure
			}
		}
	}
	return failure
}
