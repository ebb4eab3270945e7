package sidecar

import (
	"context"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestOneTraceGoesFromACallerThroughTheBatchToTheSidecar(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	gatedBatch, arrived, release := gated()
	var mu sync.Mutex
	var parents []string
	f := startFake(t, func(ctx context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		mu.Lock()
		parents = append(parents, md.Get("traceparent")...)
		mu.Unlock()
		return gatedBatch(ctx, cmds)
	})
	c := f.client(t, Config{TracerProvider: provider})
	ctx := within(t, 2*time.Second)

	var all sync.WaitGroup
	var callers []trace.SpanContext
	apply := func(id uint64) {
		ctx, span := provider.Tracer("test").Start(ctx, "caller")
		callers = append(callers, span.SpanContext())
		all.Go(func() {
			defer span.End()
			if _, err := c.Apply(ctx, dig(id, id)); err != nil {
				t.Error(err)
			}
		})
	}
	apply(1)
	<-arrived
	apply(2)
	queued(t, c, 1)
	apply(3)
	queued(t, c, 2)
	close(release)
	all.Wait()
	await(t, "the spans' end", func() bool { return len(batchSpans(spans)) == 2 })

	second := batchSpans(spans)[1]
	if second.Parent().SpanID() != callers[1].SpanID() {
		t.Error("the batch is no child of its first caller's span")
	}
	if links := second.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != callers[2].SpanID() {
		t.Errorf("the batch is linked to %v", links)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := callers[1].TraceID().String(); len(parents) != 2 || parents[1][3:35] != want {
		t.Errorf("the sidecar saw traceparent %v; the caller's trace is %s", parents, want)
	}
}

func batchSpans(spans *tracetest.SpanRecorder) (batches []sdktrace.ReadOnlySpan) {
	for _, span := range spans.Ended() {
		if span.Name() == "playerstate.batch" {
			batches = append(batches, span)
		}
	}
	return batches
}

func TestCallersThatAreNotSampledGetNoSpans(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	c := startFake(t, nil).client(t, Config{TracerProvider: provider})
	unsampled := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	ctx := trace.ContextWithSpanContext(within(t, time.Second), unsampled)
	if _, err := c.Apply(ctx, dig(1, 1)); err != nil {
		t.Fatal(err)
	}
	if started := spans.Started(); len(started) != 0 {
		t.Errorf("%d spans", len(started))
	}
}
