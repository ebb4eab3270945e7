package report

import (
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed table.md.tmpl
var tableText string

var table = template.Must(template.New("table").Funcs(template.FuncMap{
	"number":    number,
	"absolutes": func(f Figure) []float64 { a, b := f.absolutes(); return []float64{a, b} },
	"gib":       func(bytes uint64) uint64 { return (bytes + 1<<29) >> 30 },
	"join":      func(words []string) string { return strings.Join(words, " ") },
}).Parse(tableText))

// The marks in a document between which the table stands.
const (
	tableBegin = "<!-- begin bench -->\n"
	tableEnd   = "<!-- end bench -->\n"
)

// Table is the report as a part of a document.
func (r *Report) Table() (string, error) {
	var text strings.Builder
	if err := table.Execute(&text, r); err != nil {
		return "", err
	}
	return text.String(), nil
}

// WriteTable puts the table into a document, between its marks, and the values of figures
// where the document cites them.
func (r *Report) WriteTable(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	written, err := r.written(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(written), 0o644)
}

func (r *Report) written(text string) (string, error) {
	before, rest, begun := strings.Cut(text, tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		return "", fmt.Errorf("there is no place for the table: it wants the lines %q and %q", strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	made, err := r.Table()
	if err != nil {
		return "", err
	}
	return r.cite(before + tableBegin + made + tableEnd + after)
}

// citation is where a document has the value of a figure, between two comments.
var citation = regexp.MustCompile(`(<!-- figure ([^>]+) -->)[^<]*(<!-- -->)`)

func (r *Report) cite(text string) (string, error) {
	var unknown error
	cited := citation.ReplaceAllStringFunc(text, func(found string) string {
		parts := citation.FindStringSubmatch(found)
		nth := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.Name == parts[2] })
		if nth < 0 {
			unknown = fmt.Errorf("it cites %s, and the report has no such figure", parts[2])
			return found
		}
		return parts[1] + r.Figures[nth].quoted() + parts[3]
	})
	return cited, unknown
}

// quoted is the figure in a sentence.
func (f Figure) quoted() string {
	if f.IsRatio() {
		a, b := f.absolutes()
		return fmt.Sprintf("%s against %s %s", number(a), number(b), f.Unit)
	}
	return number(f.Value) + " " + f.Unit
}
