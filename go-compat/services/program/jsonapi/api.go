// Package jsonapi is what the JSON APIs of the services share: routes, bounded
// bodies, errors as {"error":{"code","message","field"}}, metrics and traces.
// It knows nothing of what the APIs are about.
//
// What must stay true: every answer is JSON, whatever went wrong; a body, a
// request's time and a page have a bound; an error from inside is logged, and
// its text stays inside.
package jsonapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// requestWithin bounds the work for one request.
const requestWithin = 5 * time.Second

// Handler answers one request. It writes with [Write] and returns nil, or
// returns an error, which the API writes.
type Handler func(w http.ResponseWriter, r *http.Request) error

// API is a set of routes. Safe for concurrent use once all routes are there.
type API struct {
	mux       *http.ServeMux
	guarded   http.Handler
	methods   map[string][]string // by path
	log       *slog.Logger
	durations *prometheus.HistogramVec
}

// New makes an API without routes. Pages of other origins may not change anything
// through a browser that can reach it.
func New(log *slog.Logger, metrics prometheus.Registerer) *API {
	a := &API{
		mux:     http.NewServeMux(),
		methods: map[string][]string{},
		log:     log,
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_server_request_duration_seconds",
			Help:    "Time that requests of the JSON API took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"route", "method", "code"}),
	}
	metrics.MustRegister(a.durations)
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, &Error{Status: http.StatusForbidden, Code: "cross_origin", Message: "a page of another origin may not change anything here"})
	}))
	a.guarded = origins.Handler(a.mux)
	a.mux.Handle("/", a.instrument("/", a.notFound))
	return a
}

// Handle adds a route, written as "GET /v1/hunts/{id}".
func (a *API) Handle(route string, handler Handler) {
	method, path, _ := strings.Cut(route, " ")
	if a.methods[path] == nil {
		a.mux.Handle(path, a.instrument(path, a.methodNotAllowed(path)))
	}
	a.methods[path] = append(a.methods[path], method)
	a.mux.Handle(route, a.instrument(path, handler))
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.guarded.ServeHTTP(w, r) }

func (a *API) instrument(route string, handler Handler) http.Handler {
	var answer http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestWithin)
		defer cancel()
		a.answer(w, r.WithContext(ctx), handler)
	})
	answer = promhttp.InstrumentHandlerDuration(a.durations.MustCurryWith(prometheus.Labels{"route": route}), answer)
	return otelhttp.NewHandler(answer, route)
}

// answer calls the handler, and answers for it when it fails or panics.
func (a *API) answer(w http.ResponseWriter, r *http.Request, handler Handler) {
	defer func() {
		if cause := recover(); cause != nil {
			a.log.ErrorContext(r.Context(), "panic in a request", "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
			Write(w, http.StatusInternalServerError, internalError)
		}
	}()
	if err := handler(w, r); err != nil {
		a.fail(w, r, err)
	}
}

func (a *API) notFound(http.ResponseWriter, *http.Request) error {
	return &Error{Status: http.StatusNotFound, Code: "not_found", Message: "there is no such path"}
}

func (a *API) methodNotAllowed(path string) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		methods := slices.Sorted(slices.Values(a.methods[path]))
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return &Error{
			Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
			Message: fmt.Sprintf("%s takes %s, not %s", path, strings.Join(methods, " and "), r.Method),
		}
	}
}
