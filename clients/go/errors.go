package tongdai

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	typev1 "github.com/tong-dai/tong-dai/clients/go/gen/voice/type/v1"
)

// What a caller can do about an error: errors.Is(err, ErrCapacity).
var (
	ErrBadRequest  = errors.New("bad request")   // mend the request; no retry helps
	ErrToken       = errors.New("token refused") // another token, tenant or scope is needed
	ErrCapacity    = errors.New("no capacity")   // full: another replica or a wait of RetryDelay may help
	ErrUnavailable = errors.New("unavailable")   // loading, draining, gone, or the connection broke
	ErrServer      = errors.New("server failed") // or a turn; it may be tried once more on a fresh stream
)

// Error is how a stream or a turn failed: its status with the google.rpc
// details ErrorInfo, BadRequest and RetryInfo.
type Error struct {
	// Kind is one of the Err values above, or the error of a context that is
	// over; errors.Is finds it.
	Kind error
	// Code is the name of the gRPC code, or FAILED of a turn.
	Code string
	// Reason is in UPPER_SNAKE_CASE; empty where the server gave none.
	Reason string
	// Message is for a person.
	Message string
	// Field is the path of the field at fault, as in "config.voice".
	Field string
	// RetryDelay is how long to wait before another try; 0: not said.
	RetryDelay time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s", strings.TrimSpace(e.Code+" "+e.Reason), e.Message)
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }

// IsElsewhereWorthwhile says whether another replica may serve.
func (e *Error) IsElsewhereWorthwhile() bool {
	return e.Kind == ErrCapacity || e.Kind == ErrUnavailable
}

// ErrorOf makes the typed error of what generated code returned.
func ErrorOf(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if over := overOf(err); over != nil {
		return givenUp(over)
	}
	found := status.Convert(err)
	made := &Error{Kind: ErrServer, Code: code.Code(found.Code()).String(), Message: found.Message()}
	for _, detail := range found.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			made.Reason = detail.GetReason()
		case *errdetails.BadRequest:
			if violations := detail.GetFieldViolations(); len(violations) > 0 {
				made.Field = violations[0].GetField()
			}
		case *errdetails.RetryInfo:
			made.RetryDelay = detail.GetRetryDelay().AsDuration()
		}
	}
	switch found.Code() {
	case codes.InvalidArgument, codes.NotFound:
		made.Kind = ErrBadRequest
	case codes.ResourceExhausted:
		made.Kind = ErrBadRequest
		if made.RetryDelay > 0 {
			made.Kind = ErrCapacity
		}
	case codes.Unauthenticated, codes.PermissionDenied:
		made.Kind = ErrToken
	case codes.Unavailable:
		made.Kind = ErrUnavailable
	case codes.DeadlineExceeded:
		made.Kind = context.DeadlineExceeded
	}
	return made
}

// overOf gives the error of a context that is over; nil: err is another one.
func overOf(err error) error {
	for _, over := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, over) {
			return over
		}
	}
	return nil
}

// givenUp is the error of a stream whose context is over.
func givenUp(over error) *Error {
	made := &Error{Kind: over, Code: "CANCELLED", Message: "the stream was given up"}
	if over == context.DeadlineExceeded {
		made.Code, made.Message = "DEADLINE_EXCEEDED", "the context's deadline has passed"
	}
	return made
}

func unavailable(reason, message string) *Error {
	return &Error{Kind: ErrUnavailable, Code: "UNAVAILABLE", Reason: reason, Message: message}
}

func badSample(at int64) *Error {
	message := fmt.Sprintf("the server tells of sample %d of its sound", at)
	return &Error{Kind: ErrServer, Code: "INTERNAL", Reason: "BAD_SAMPLE", Message: message}
}

func turnFailed(end *typev1.TurnEnd) *Error {
	return &Error{
		Kind: ErrServer, Code: "FAILED", Reason: end.GetReason(), Message: end.GetMessage(),
		RetryDelay: time.Duration(end.GetRetryDelayMs()) * time.Millisecond,
	}
}
