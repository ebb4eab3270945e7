package sidecar

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

const tracerName = "treasurehunt.example/go-compat/sidecar"

// spanLinksMax bounds a batch's links; it is also what the SDK keeps by default.
const spanLinksMax = 128

// startSpan begins the span of a batch: the child of the first sampled caller's
// span, linked to those of the others. So one trace goes from a caller to the
// sidecar, by way of traceparent. Callers that were not sampled get none.
func startSpan(tracer trace.Tracer, calls []*call) (span trace.Span, traceparent string) {
	parent, links := spanContexts(calls)
	if !parent.IsValid() {
		return noop.Span{}, ""
	}
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), parent)
	span = noop.Span{}
	if parent.IsSampled() {
		ctx, span = tracer.Start(ctx, "playerstate.batch",
			trace.WithSpanKind(trace.SpanKindClient),
			trace.WithLinks(links...),
			trace.WithAttributes(attribute.Int("playerstate.batch.commands", len(calls))))
	}
	carrier := make(propagation.MapCarrier)
	propagation.TraceContext{}.Inject(ctx, carrier)
	return span, carrier["traceparent"]
}

// spanContexts picks the parent: the first that is sampled, else the first there is.
func spanContexts(calls []*call) (parent trace.SpanContext, links []trace.Link) {
	for _, c := range calls {
		switch {
		case !c.span.IsValid() || c.span.Equal(parent):
		case !parent.IsValid(), c.span.IsSampled() && !parent.IsSampled():
			parent = c.span
		case c.span.IsSampled() && len(links) < spanLinksMax:
			links = append(links, trace.Link{SpanContext: c.span})
		}
	}
	return parent, links
}
