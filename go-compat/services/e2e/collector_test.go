//go:build e2e

package e2e

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// spanCollector is an OTLP endpoint that keeps what it is sent. Safe for concurrent use.
type spanCollector struct {
	collector.UnimplementedTraceServiceServer
	addr string

	mu    sync.Mutex // guards spans
	spans []*trace.Span
}

func startCollector(t *testing.T) *spanCollector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &spanCollector{addr: listener.Addr().String()}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	go server.Serve(listener) // ends with Stop
	t.Cleanup(server.Stop)
	return c
}

// Export implements the OTLP service.
func (c *spanCollector) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// chain is the names of the spans from leaf up to root, in the given trace.
func (c *spanCollector) chain(traceID, leaf, root string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byID := make(map[string]*trace.Span)
	var span *trace.Span
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) != traceID {
			continue
		}
		byID[string(s.GetSpanId())] = s
		if s.GetName() == leaf {
			span = s
		}
	}
	var names []string
	for ; span != nil; span = byID[string(span.GetParentSpanId())] {
		names = append(names, span.GetName())
	}
	if len(names) == 0 || names[len(names)-1] != root {
		return nil, fmt.Errorf("no way from %q up to %q: found %q of %d spans in trace %s", leaf, root, names, len(byID), traceID)
	}
	return names, nil
}
