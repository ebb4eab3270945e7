package check

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

type datasource struct{ Type, UID string }

// dashboard is as much of one as is looked at.
type dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct {
			Name, Type, Definition string
			Datasource             datasource
		}
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		Expr       string
		Datasource datasource
	}
}

func grafana(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/player-state.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID != "player-state" || d.SchemaVersion == 0 || len(d.Panels) == 0 {
		t.Fatalf("uid %q, schemaVersion %d, %d panels", d.UID, d.SchemaVersion, len(d.Panels))
	}
	return d
}

// expr is a query with Grafana's variables filled in.
var expr = strings.NewReplacer("$__rate_interval", "1m", "$matchmaker", "a", "$sidecar", "b", "$aggregator", "c")

func TestTheDashboardAsksForMetricsThatThereAre(t *testing.T) {
	known, shown := metrics(t), []string{}
	d := grafana(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			shown = append(shown, known.query(t, p.Title, expr.Replace(target.Expr))...)
		}
	}
	for _, v := range d.Templating.List {
		if metric, found := strings.CutPrefix(v.Definition, "label_values("); found {
			metric, _, _ = strings.Cut(metric, ",")
			known.query(t, "variable "+v.Name, metric)
		}
	}
	// What an operator has to see whatever else changes.
	for _, name := range []string{
		"router_effective_percent", "router_breaker_state", "router_call_duration_seconds_bucket", "router_commands_total",
		"router_refusals_total", "sidecar_client_batch_commands_bucket", "sidecar_client_queue_commands", "sidecar_client_lanes_ready",
		"stataggregator_feed_behind_records", "stataggregator_alarms_total", "player_state_panics_total", "player_state_hunts",
		"process_resident_memory_bytes", "rollout_flag_lost",
	} {
		if !slices.Contains(shown, name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestTheDashboardTakesItsPrometheusFromAVariable(t *testing.T) {
	d, want := grafana(t), datasource{"prometheus", "${datasource}"}
	if first := d.Templating.List[0]; first.Name != "datasource" || first.Type != "datasource" {
		t.Errorf("the first variable is %v", first)
	}
	for _, v := range d.Templating.List[1:] {
		if v.Datasource != want {
			t.Errorf("variable %s asks %v", v.Name, v.Datasource)
		}
	}
	for _, p := range d.Panels {
		if p.Type != "row" && p.Datasource != want {
			t.Errorf("panel %s asks %v", p.Title, p.Datasource)
		}
		for _, target := range p.Targets {
			if target.Datasource != want {
				t.Errorf("a query of %s asks %v", p.Title, target.Datasource)
			}
		}
	}
}

func TestEveryPanelSaysWhatToDoAndHasItsPlace(t *testing.T) {
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range grafana(t).Panels {
		if p.Type != "row" && (p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0) {
			t.Errorf("%s has no description, no unit or no query", p.Title)
		}
		if ids[p.ID] {
			t.Errorf("%s has the id of another panel", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("%s lies at %d,%d, outside or on %q", p.Title, x, y, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

func TestAlertsAskForMetricsThatThereAreAndSayWhatToDo(t *testing.T) {
	text := read(t, "deploy/prometheus/player-state.rules.yaml")
	groups, errs := rulefmt.Parse([]byte(text), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	known := metrics(t)
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			known.query(t, rule.Alert, rule.Expr)
			if rule.Annotations["summary"] == "" || rule.Annotations["action"] == "" {
				t.Errorf("%s has no summary or no action", rule.Alert)
			}
			if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
				t.Errorf("%s has severity %q", rule.Alert, severity)
			}
		}
	}
}
