package tongdai

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a caller can do about an error: errors.Is(err, ErrCapacity).
var (
	// ErrBadRequest: mend the request; no retry helps.
	ErrBadRequest = errors.New("bad request")
	// ErrToken: another token, tenant or scope is needed.
	ErrToken = errors.New("token refused")
	// ErrCapacity: the server is full. Another replica, or a wait of
	// RetryDelay, may help.
	ErrCapacity = errors.New("no capacity")
	// ErrUnavailable: loading, draining, gone, or the connection broke.
	// Another replica may serve.
	ErrUnavailable = errors.New("unavailable")
	// ErrServer: the server or a turn failed. A turn may be tried once more on
	// a fresh stream.
	ErrServer = errors.New("server failed")
)

// Error is how a stream or a turn failed: its status with the google.rpc
// details ErrorInfo, BadRequest and RetryInfo.
type Error struct {
	// Kind is one of the Err values above; errors.Is finds it.
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

var codeNames = map[codes.Code]string{
	codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS",
	codes.PermissionDenied: "PERMISSION_DENIED", codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE",
	codes.Unimplemented: "UNIMPLEMENTED", codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE",
	codes.DataLoss: "DATA_LOSS", codes.Unauthenticated: "UNAUTHENTICATED",
}

// errorOf makes the typed error of a status, with or without details.
func errorOf(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Kind: ErrServer, Code: "CANCELLED", Message: err.Error()}
	}
	found := status.Convert(err)
	made := &Error{Kind: ErrServer, Code: codeNames[found.Code()], Message: found.Message()}
	for _, detail := range found.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			made.Reason = detail.GetReason()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations()[:min(1, len(detail.GetFieldViolations()))] {
				made.Field = violation.GetField()
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
	}
	return made
}

func unavailable(reason, message string) *Error {
	return &Error{Kind: ErrUnavailable, Code: "UNAVAILABLE", Reason: reason, Message: message}
}
