package main

import (
	"context"
	"crypto/subtle"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// guardsOf makes the interceptors that refuse a call without the token of a file,
// UNAUTHENTICATED with the reason TOKEN_INVALID. Health needs no token.
func guardsOf(file string) ([]grpc.ServerOption, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	wanted := "Bearer " + strings.TrimSpace(string(content))
	if wanted == "Bearer " {
		return nil, fmt.Errorf("%s holds no token", file)
	}
	check := func(ctx context.Context, method string) error {
		shown := metadata.ValueFromIncomingContext(ctx, "authorization")
		isRight := len(shown) == 1 && subtle.ConstantTimeCompare([]byte(shown[0]), []byte(wanted)) == 1
		if isRight || strings.HasPrefix(method, "/grpc.health.v1.Health/") {
			return nil
		}
		return refusal(codes.Unauthenticated, "TOKEN_INVALID", "", "the bearer token is missing or is not the one asked for")
	}
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(
			ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
		) (any, error) {
			if err := check(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return handler(ctx, request)
		}),
		grpc.StreamInterceptor(func(
			server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
		) error {
			if err := check(stream.Context(), info.FullMethod); err != nil {
				return err
			}
			return handler(server, stream)
		}),
	}, nil
}
