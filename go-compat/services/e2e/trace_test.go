//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"treasurehunt.example/go-compat/services/localshard"
)

// TestOneTraceFromTheCallerToApply follows a span of a Go caller over the bridge:
// the sidecar's `apply` must stand in the same trace, below it.
func TestOneTraceFromTheCallerToApply(t *testing.T) {
	spans := startCollector(t)
	shard := startShard(t, localshard.Config{Percent: 100, Env: []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + spans.addr, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_TRACES_SAMPLER=always_on",
	}})
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithInsecure(), otlptracegrpc.WithEndpoint(spans.addr))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.Cleanup(func() { provider.Shutdown(context.Background()) })

	router := dial(t, "tcp:"+shard.Router)
	createHunt(t, router, "traced")
	ctx, span := provider.Tracer("e2e").Start(t.Context(), "the caller")
	joinIn(ctx, t, router, "traced", 1, 1)
	span.End()

	var chain []string
	err = localshard.Await(10*time.Second, func() (err error) {
		chain, err = spans.chain(span.SpanContext().TraceID().String(), "apply", "the caller")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join(chain, " ← "))
}
