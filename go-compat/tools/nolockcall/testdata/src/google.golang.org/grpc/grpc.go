// Package grpc is as much of the real one as the check looks at.
package grpc

import "context"

type CallOption interface{}

type ClientConnInterface interface {
	Invoke(ctx context.Context, method string, args, reply any, opts ...CallOption) error
}

func WithDefaultCallOptions(...CallOption) {}
