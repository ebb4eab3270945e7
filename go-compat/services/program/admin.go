package program

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// release is the version of a build, set by the linker:
// -ldflags "-X treasurehunt.example/go-compat/services/program.release=1.2.3".
var release string

// Version is the release, or what the build knows of its source.
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return info.Main.Version
}

// adminHandler answers /livez, /readyz, /metrics and /version, and what the program
// adds. None of these four calls anybody, so that a probe never hangs on a neighbour.
func (p *Process) adminHandler() http.Handler {
	mux := p.admin
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.HandleFunc("GET /version", p.version)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Metrics, promhttp.HandlerOpts{Registry: p.Metrics}))
	return mux
}

// HandleAdmin serves more on the admin port, which is for operators: a pattern of
// [http.ServeMux].
func (p *Process) HandleAdmin(pattern string, handler http.Handler) { p.admin.Handle(pattern, handler) }

func (p *Process) readyz(w http.ResponseWriter, _ *http.Request) {
	if reasons := p.Ready.Reasons(); len(reasons) > 0 {
		http.Error(w, strings.Join(reasons, "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (p *Process) version(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The client is gone if this fails; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{
		"program": p.name, "version": Version(), "go": runtime.Version(),
	})
}
