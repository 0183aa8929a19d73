package tongdai

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
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
	// Token is a bearer token; empty sends none.
	Token string
	// OpenLimit is how long a replica may take for its first response; 0: 10 s.
	OpenLimit time.Duration
	// Rounds is how often the replicas are tried, with the wait of RetryInfo in
	// between; 0: once.
	Rounds int
}

// Connection holds the replicas of one service. Close it when done.
type Connection struct {
	options Options
	clients []*grpc.ClientConn
}

// Connect prepares connections; none is made before a stream is opened. The
// error is of a file of the options or of a target that is none.
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
		client, err := grpc.NewClient(target, dial...)
		if err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		connection.clients = append(connection.clients, client)
	}
	return connection, nil
}

// Close closes the connections; streams that are open break.
func (c *Connection) Close() error {
	var failed []error
	for _, client := range c.clients {
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

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (b bearer) RequireTransportSecurity() bool { return false }

// stream is a bidirectional stream that is open.
type stream[Request, Response any] struct {
	wire   grpc.BidiStreamingClient[Request, Response]
	first  *Response
	cancel context.CancelFunc
	mutex  sync.Mutex // gRPC allows one sender at a time
}

// send sends a request. Once the stream is over nothing is sent: recv says why.
func (s *stream[Request, Response]) send(request *Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_ = s.wire.Send(request)
}

func (s *stream[Request, Response]) halfClose() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	_ = s.wire.CloseSend()
}

// recv gives the next response, io.EOF at a good end, else an *Error.
func (s *stream[Request, Response]) recv() (*Response, error) {
	response, err := s.wire.Recv()
	if err == nil || errors.Is(err, io.EOF) {
		return response, err
	}
	return nil, errorOf(err)
}

// open opens a stream on the first replica that serves: it sends the config
// and waits for the first response. Replicas that are full or away are passed
// over. The stream lives as long as ctx.
func open[Request, Response any](
	ctx context.Context,
	c *Connection,
	method func(context.Context, grpc.ClientConnInterface) (grpc.BidiStreamingClient[Request, Response], error),
	config *Request,
) (*stream[Request, Response], error) {
	refusal := unavailable("", "no target was given")
	for round := range max(1, c.options.Rounds) {
		if round > 0 {
			wait := refusal.RetryDelay
			if wait == 0 {
				wait = time.Second
			}
			select {
			case <-ctx.Done():
				return nil, errorOf(ctx.Err())
			case <-time.After(min(wait, longestWait)):
			}
		}
		for _, client := range c.clients {
			opened, err := openOn(ctx, c.options.OpenLimit, client, method, config)
			if err == nil {
				return opened, nil
			}
			if refusal = err; !refusal.IsElsewhereWorthwhile() {
				return nil, refusal
			}
		}
	}
	return nil, refusal
}

func openOn[Request, Response any](
	ctx context.Context,
	limit time.Duration,
	client *grpc.ClientConn,
	method func(context.Context, grpc.ClientConnInterface) (grpc.BidiStreamingClient[Request, Response], error),
	config *Request,
) (*stream[Request, Response], *Error) {
	alive, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(limit, cancel)
	wire, err := method(alive, client)
	if err == nil {
		_ = wire.Send(config) // where it is refused already, Recv says why
		var first *Response
		if first, err = wire.Recv(); err == nil {
			if late.Stop() {
				return &stream[Request, Response]{wire: wire, first: first, cancel: cancel}, nil
			}
			err = context.Canceled
		}
	}
	wasLate := !late.Stop()
	cancel()
	switch {
	case ctx.Err() != nil:
		return nil, errorOf(ctx.Err())
	case wasLate:
		return nil, unavailable("OPEN_TIMEOUT", fmt.Sprintf("no response within %v", limit))
	case errors.Is(err, io.EOF):
		return nil, unavailable("ENDED_EARLY", "the stream ended before its first response")
	}
	return nil, errorOf(err)
}
