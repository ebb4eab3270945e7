package demo

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// types are what the router says of its metrics.
const types = `# TYPE router_hunts gauge
# TYPE router_commands_total counter
# TYPE router_call_duration_seconds histogram
`

func read(t *testing.T, at time.Time, text string) *sample {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(types + text))
	if err != nil {
		t.Fatal(err)
	}
	return newSample(at, families)
}

func TestTableShowsWhatHappenedBetweenTwoReadings(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	earlier := read(t, start, `router_hunts{engine="go"} 3
router_commands_total{engine="go",verdict="applied"} 100
router_call_duration_seconds_bucket{engine="go",method="Apply",le="0.001"} 100
router_call_duration_seconds_bucket{engine="go",method="Apply",le="0.01"} 100
router_call_duration_seconds_bucket{engine="go",method="Apply",le="+Inf"} 100
router_call_duration_seconds_sum{engine="go",method="Apply"} 1
router_call_duration_seconds_count{engine="go",method="Apply"} 100
`)
	later := read(t, start.Add(2*time.Second), `router_hunts{engine="go"} 3
router_commands_total{engine="go",verdict="applied"} 150
router_commands_total{engine="go",verdict="rejected"} 10
router_commands_total{engine="sidecar",verdict="applied"} 180
router_call_duration_seconds_bucket{engine="go",method="Apply",le="0.001"} 150
router_call_duration_seconds_bucket{engine="go",method="Apply",le="0.01"} 200
router_call_duration_seconds_bucket{engine="go",method="Apply",le="+Inf"} 200
router_call_duration_seconds_sum{engine="go",method="Apply"} 2
router_call_duration_seconds_count{engine="go",method="Apply"} 200
`)
	table := strings.Join(render("now", earlier, later), "\n")
	for _, want := range []string{"go             3           30     25%      ≤ 1ms     ≤ 10ms", "sidecar        0           90     75%"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

func TestQuantileOfNothingIsNoNumber(t *testing.T) {
	if got := quantile(0.99, nil, nil); !math.IsNaN(got) {
		t.Errorf("got %g", got)
	}
	same := []bucket{{0.001, 5}, {0.01, 9}}
	if got := quantile(0.99, same, same); !math.IsNaN(got) {
		t.Errorf("got %g", got)
	}
}
