// Package plots draws what a bench found, from its report: the same report gives the
// same bytes.
package plots

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
	"treasurehunt.example/go-compat/bench/resident"
)

// drawings, by file.
var drawings = map[string]func(r *report.Report, p *plot.Plot) error{
	"cpu.svg":    cpu,
	"p99.svg":    p99,
	"memory.svg": memory,
}

// What the pictures look like.
const (
	width     = 18 * vg.Centimeter
	barHeight = 0.4 * vg.Centimeter
	around    = 2.6 * vg.Centimeter // title, axis and legend
	lines     = 9 * vg.Centimeter   // the height of a picture with lines
)

var (
	first  = color.RGBA{R: 0xb7, G: 0x41, B: 0x0e, A: 0xff} // the sidecar's and the server's
	second = color.RGBA{R: 0x3b, G: 0x7e, B: 0xa1, A: 0xff}
)

// Write draws the pictures of a report into a directory.
func Write(r *report.Report, dir string) error {
	pictures := r.Pictures()
	if len(pictures) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, picture := range pictures {
		p := plot.New()
		p.Title.Text, p.Title.Padding = picture.What, vg.Points(8)
		p.X.Min = 0
		if err := drawings[picture.File](r, p); err != nil {
			return fmt.Errorf("%s: %w", picture.File, err)
		}
		height := lines
		if bars := len(armsOf(r, picture.Suite)); picture.File != "memory.svg" {
			height = around + vg.Length(bars)*1.6*barHeight
		}
		if err := p.Save(width, height, filepath.Join(dir, picture.File)); err != nil {
			return fmt.Errorf("%s: %w", picture.File, err)
		}
	}
	return nil
}

// cpu stacks what a command costs on both sides.
func cpu(r *report.Report, p *plot.Plot) error {
	arms := armsOf(r, "bridge")
	server, err := medians(r, "bridge", arms, loader.Result.ServerMicros)
	if err != nil {
		return err
	}
	client, err := medians(r, "bridge", arms, loader.Result.ClientMicros)
	if err != nil {
		return err
	}
	below, err := bars(server, first)
	if err != nil {
		return err
	}
	above, err := bars(client, second)
	if err != nil {
		return err
	}
	above.StackOn(below)
	sums := make(plotter.Values, len(arms))
	for i := range sums {
		sums[i] = server[i] + client[i]
	}
	p.Add(below, above)
	p.Legend.Add("server", below)
	p.Legend.Add("client", above)
	p.X.Label.Text = "µs of CPU a command, median of the rounds; pinned apart"
	return name(p, arms, sums)
}

func p99(r *report.Report, p *plot.Plot) error {
	arms := armsOf(r, "open")
	values, err := medians(r, "open", arms, func(result loader.Result) float64 {
		if result.Open == nil {
			return 0
		}
		return result.Open.Latency.P99
	})
	if err != nil {
		return err
	}
	all, err := bars(values, second)
	if err != nil {
		return err
	}
	p.Add(all)
	p.X.Label.Text = "ms from when a command was to be sent, median of the rounds"
	return name(p, arms, values)
}

func bars(values plotter.Values, fill color.Color) (*plotter.BarChart, error) {
	all, err := plotter.NewBarChart(values, barHeight)
	if err != nil {
		return nil, err
	}
	all.Horizontal, all.Color, all.LineStyle.Width = true, fill, 0
	return all, nil
}

// name writes arms beside their bars, and values behind them.
func name(p *plot.Plot, arms []string, values plotter.Values) error {
	p.NominalY(arms...)
	p.Legend.Top = true
	texts := plotter.XYLabels{XYs: make(plotter.XYs, len(arms)), Labels: make([]string, len(arms))}
	for i, value := range values {
		texts.XYs[i] = plotter.XY{X: value, Y: float64(i)}
		texts.Labels[i] = " " + strconv.FormatFloat(value, 'f', 2, 64)
		p.X.Max = max(p.X.Max, 1.12*value) // room for the text
	}
	labels, err := plotter.NewLabels(texts)
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].YAlign = -0.4 // in the middle of the bar
	}
	p.Add(labels)
	return nil
}

func memory(r *report.Report, p *plot.Plot) error {
	colors := map[string]color.Color{"sidecar": first, "go": second}
	for _, run := range r.Runs {
		if run.Suite != "memory" {
			continue
		}
		var weights []resident.Weight
		if err := again(run.Result, &weights); err != nil {
			return err
		}
		points := make(plotter.XYs, len(weights))
		for i, weight := range weights {
			points[i] = plotter.XY{X: float64(weight.Players) / 1000, Y: float64(weight.ResidentBytes) / 1e6}
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, marks.Color, line.Width = colors[run.Arm], colors[run.Arm], vg.Points(1.5)
		p.Add(line, marks)
		p.Legend.Add(run.Arm, line, marks)
	}
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Label.Text, p.Y.Label.Text = "thousands of players", "MB resident"
	return nil
}

// armsOf are the arms of a suite, the first one on top.
func armsOf(r *report.Report, suite string) (arms []string) {
	known := make(map[string]bool)
	for _, run := range r.Runs {
		if run.Suite == suite && !known[run.Arm] {
			known[run.Arm] = true
			arms = append([]string{run.Arm}, arms...)
		}
	}
	return arms
}

// medians are of each arm's rounds.
func medians(r *report.Report, suite string, arms []string, of func(loader.Result) float64) (plotter.Values, error) {
	rounds := make(map[string][]float64)
	for _, run := range r.Runs {
		if run.Suite != suite {
			continue
		}
		var result loader.Result
		if err := again(run.Result, &result); err != nil {
			return nil, err
		}
		rounds[run.Arm] = append(rounds[run.Arm], of(result))
	}
	values := make(plotter.Values, len(arms))
	for i, arm := range arms {
		values[i] = report.Median(rounds[arm])
	}
	return values, nil
}

// again reads a result into its own type: a report knows it only as JSON.
func again(result, into any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
