package serve

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// CallDuration is the name of the histogram of calls, by method and code. A call
// whose caller left counts under its own code, Canceled, never under OK.
const CallDuration = "rpc_server_call_duration_seconds"

// CallBuckets are the bounds of the histogram, in seconds. 0.0142 and 0.05 are
// there because the service's goals are set at them.
var CallBuckets = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.0142, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 35,
}

// metrics measures each call from its header to its last byte, those refused by
// gRPC itself included, which no interceptor sees.
type metrics struct {
	duration *prometheus.HistogramVec
	methods  map[string]string // full method → label; any other counts as "other"
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    CallDuration,
			Help:    "How long calls took on the server, by method and gRPC code.",
			Buckets: CallBuckets,
		}, []string{"method", "code"}),
		methods: map[string]string{},
	}
	for _, service := range []grpc.ServiceDesc{pb.PlayerStateService_ServiceDesc, pb.EventFeedService_ServiceDesc, pb.OwnershipService_ServiceDesc} {
		for _, method := range service.Methods {
			m.methods["/"+service.ServiceName+"/"+method.MethodName] = method.MethodName
		}
	}
	if registerer == nil {
		return m, nil
	}
	err := registerer.Register(m.duration)
	if registered := (prometheus.AlreadyRegisteredError{}); errors.As(err, &registered) {
		// Another server of this process: one histogram counts for all.
		m.duration, err = registered.ExistingCollector.(*prometheus.HistogramVec), nil
	}
	if err != nil {
		return nil, fmt.Errorf("serve: metrics: %w", err)
	}
	return m, nil
}

type methodKey struct{}

// TagRPC implements stats.Handler.
func (m *metrics) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, methodKey{}, m.label(info.FullMethodName))
}

// HandleRPC implements stats.Handler.
func (m *metrics) HandleRPC(ctx context.Context, event stats.RPCStats) {
	end, ok := event.(*stats.End)
	if !ok {
		return
	}
	method, _ := ctx.Value(methodKey{}).(string)
	took := end.EndTime.Sub(end.BeginTime)
	m.duration.WithLabelValues(method, status.Code(end.Error).String()).Observe(took.Seconds())
}

// TagConn implements stats.Handler.
func (*metrics) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (*metrics) HandleConn(context.Context, stats.ConnStats) {}

// label keeps the metric small whatever names strangers call.
func (m *metrics) label(fullMethod string) string {
	if name, ok := m.methods[fullMethod]; ok {
		return name
	}
	return "other"
}
