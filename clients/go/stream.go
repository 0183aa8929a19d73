package tongdai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

const frameTime = 20 * time.Millisecond

// Stream is a bidirectional stream that is open. Any goroutine may send; one
// receives, at all times.
type Stream[Q, S any] struct {
	wire         grpc.GenericClientStream[Q, S]
	first        *S
	alive        context.Context
	cancel       context.CancelFunc
	mutex        sync.Mutex // gRPC allows one sender at a time
	isHalfClosed bool
}

// open opens a stream on the first replica that serves: it sends the config, with
// the rate where the service has sound, and waits for the first response.
// The stream lives as long as ctx.
func open[Q, S any](
	ctx context.Context, c *Connection, method string, config proto.Message, rate int,
) (opened *Stream[Q, S], err error) {
	whole := config.ProtoReflect().New().Interface()
	proto.Merge(whole, config)
	if whole.ProtoReflect().Descriptor().Fields().ByName("audio_format") != nil {
		encoding := typev1.AudioEncoding_AUDIO_ENCODING_LINEAR16
		set(whole, "audio_format", &typev1.AudioFormat{Encoding: encoding, SampleRateHertz: int32(rate)})
	}
	err = c.OnReplica(ctx, func(client *grpc.ClientConn) error {
		alive, cancel := context.WithCancel(ctx)
		late := time.AfterFunc(c.options.OpenLimit, cancel)
		description := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
		wire, err := client.NewStream(alive, description, method)
		if err == nil {
			opened = &Stream[Q, S]{
				wire: grpc.GenericClientStream[Q, S]{ClientStream: wire}, alive: alive, cancel: cancel,
			}
			opened.put("config", whole)
			if opened.first, err = opened.Recv(); err == nil && late.Stop() {
				return nil
			}
		}
		wasLate := !late.Stop()
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case wasLate:
			return unavailable("OPEN_TIMEOUT", fmt.Sprintf("no response within %v", c.options.OpenLimit))
		case errors.Is(err, io.EOF):
			return unavailable("ENDED_EARLY", "the stream ended before its first response")
		}
		return err
	})
	return opened, err
}

// Send sends a request. Once the stream is over nothing is sent: Recv says why.
// Nor is behind HalfClose: gRPC would break the stream off.
func (s *Stream[Q, S]) Send(request *Q) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.isHalfClosed {
		_ = s.wire.Send(request)
	}
}

// put sends a message as the field of a request.
func (s *Stream[Q, S]) put(field protoreflect.Name, message proto.Message) {
	request := new(Q)
	set(any(request).(proto.Message), field, message)
	s.Send(request)
}

func set(message proto.Message, field protoreflect.Name, value proto.Message) {
	fields := message.ProtoReflect()
	fields.Set(fields.Descriptor().Fields().ByName(field), protoreflect.ValueOfMessage(value.ProtoReflect()))
}

// HalfClose says that nothing more comes; the server finishes what it was sent.
func (s *Stream[Q, S]) HalfClose() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.isHalfClosed = true
	_ = s.wire.CloseSend()
}

// Cancel gives the stream up, if it is still there.
func (s *Stream[Q, S]) Cancel() { s.cancel() }

// Recv gives the next response, io.EOF at a good end, else an *Error; of a stream
// that was given up one whose kind is the error of its context.
func (s *Stream[Q, S]) Recv() (*S, error) {
	response, err := s.wire.Recv()
	if err == nil {
		return response, nil
	}
	if errors.Is(err, io.EOF) {
		s.cancel() // or its context would stay with the one it is made from
		return nil, err
	}
	failed, over := ErrorOf(err), s.alive.Err()
	s.cancel()
	if over != nil && (failed.Code == "CANCELLED" || failed.Code == "DEADLINE_EXCEEDED") {
		return nil, givenUp(over)
	}
	return nil, failed
}

// Close ends the stream in good order.
func (s *Stream[Q, S]) Close() error {
	defer s.cancel()
	s.HalfClose()
	for {
		if _, err := s.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// outgoing counts the samples of sound on its way.
type outgoing struct {
	rate int
	next atomic.Int64 // the first sample not sent yet; EndUtterance takes it from another goroutine
	put  func(protoreflect.Name, proto.Message)
}

// speak sends frames of 20 ms up to the end of sound: where isPaced each when it
// is due, or when a microphone has it. The last one is filled with silence.
func (o *outgoing) speak(ctx context.Context, sound io.Reader, isPaced bool) error {
	for due := time.Now(); ; due = due.Add(frameTime) {
		frame := make([]byte, 2*(o.rate/50))
		if n, err := io.ReadFull(sound, frame); n < 2 && (err == io.EOF || err == io.ErrUnexpectedEOF) {
			return nil
		} else if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		if !isPaced {
			due = time.Now()
		}
		if err := sleep(ctx, time.Until(due)); err != nil {
			return err
		}
		o.put("audio", &typev1.AudioChunk{StartSample: o.next.Load(), Content: frame})
		o.next.Add(int64(len(frame) / 2))
	}
}

func sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
