package check

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// documented are the metrics of docs/metrics.md, which other tests hold against the
// code, each with its labels.
type documented map[string]map[string]bool

func metrics(t *testing.T) documented {
	t.Helper()
	known := documented{}
	for line := range strings.Lines(read(t, "docs/metrics.md")) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		// Of a metric of several programs: all of their labels.
		if known[name] == nil {
			known[name] = map[string]bool{"instance": true}
		}
		for label := range strings.SplitSeq(cells[3], ",") {
			known[name][strings.TrimSpace(label)] = true
		}
		if strings.TrimSpace(cells[2]) == "histogram" {
			delete(known[name], "")
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				known[name+part] = known[name]
			}
			known[name]["le"] = true
		}
	}
	if len(known) < 60 {
		t.Fatalf("docs/metrics.md has only %d metrics: its form has changed", len(known))
	}
	// What client libraries say of every process.
	known["process_resident_memory_bytes"] = map[string]bool{"instance": true}
	return known
}

// query finds what is wrong with a query, and gives the names of its metrics.
func (d documented) query(t *testing.T, where, query string) (names []string) {
	t.Helper()
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %s: %v", where, query, err)
		return nil
	}
	var labels []string
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			names = append(names, node.Name)
			for _, matcher := range node.LabelMatchers {
				if matcher.Name != "__name__" && d[node.Name] != nil && !d[node.Name][matcher.Name] {
					t.Errorf("%s: %s has no label %s", where, node.Name, matcher.Name)
				}
			}
		case *parser.AggregateExpr:
			labels = append(labels, node.Grouping...)
		}
		return nil
	})
	for _, name := range names {
		if d[name] == nil {
			t.Errorf("%s: there is no metric %s in docs/metrics.md", where, name)
			continue
		}
		for _, label := range labels {
			if !d[name][label] {
				t.Errorf("%s: %s has no label %s to group by", where, name, label)
			}
		}
	}
	return names
}
