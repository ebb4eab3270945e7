package report

import (
	_ "embed"
	"fmt"
	"os"
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

// WriteTable puts the table into a document, between its marks.
func (r *Report) WriteTable(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the table: it wants the lines %q and %q", path, strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	made, err := r.Table()
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+tableBegin+made+tableEnd+after), 0o644)
}
