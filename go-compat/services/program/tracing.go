package program

import (
	"context"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/semconv/v1.37.0"
)

// tracingStopWithin bounds the last flush: a collector that hangs must not hold
// a process back.
const tracingStopWithin = time.Second

// startTracing passes W3C trace context on, and exports spans over OTLP if
// OTEL_EXPORTER_OTLP_ENDPOINT says where to. The exporter drops spans when its
// queue is full; it never holds a call back. stop flushes what is left.
func startTracing(ctx context.Context, name string, log *slog.Logger) (stop func(), err error) {
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return func() {}, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err) }))
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, Exit(ExitSettings, "the trace exporter that OTEL_EXPORTER_OTLP_ENDPOINT asks for: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		semconv.ServiceName(name), semconv.ServiceVersion(Version())), resource.WithFromEnv())
	if err != nil {
		return nil, Exit(ExitSettings, "what OTEL_RESOURCE_ATTRIBUTES says: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracingStopWithin)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Warn("the last traces were lost", "error", err)
		}
	}, nil
}
