package report

import (
	"slices"
	"strings"
)

// Matrix is the figures whose names are group/row/column, as one table: there are too
// many of them for a line each.
type Matrix struct {
	Group   string
	Columns []Column
	Rows    []Row
}

// Column is what its figures are, and their unit.
type Column struct{ Name, Unit string }

// Row has a figure for each column, or nil.
type Row struct {
	Name  string
	Cells []*Figure
	// Errors is how many commands were not answered while the row was measured.
	Errors uint64
}

// Listed are the figures that have a line each.
func (r *Report) Listed() (listed []Figure) {
	for _, figure := range r.Figures {
		if _, inMatrix := figure.place(); !inMatrix {
			listed = append(listed, figure)
		}
	}
	return listed
}

// Matrices are the others, in the order in which they were measured.
func (r *Report) Matrices() (all []Matrix) {
	for i := range r.Figures {
		at, inMatrix := r.Figures[i].place()
		if !inMatrix {
			continue
		}
		nth := slices.IndexFunc(all, func(m Matrix) bool { return m.Group == at[0] })
		if nth < 0 {
			nth, all = len(all), append(all, Matrix{Group: at[0]})
		}
		all[nth].put(&r.Figures[i], at[1], at[2])
	}
	for _, m := range all {
		for i := range m.Rows { // a column may be newer than a row
			m.Rows[i].Cells = append(m.Rows[i].Cells, make([]*Figure, len(m.Columns)-len(m.Rows[i].Cells))...)
		}
	}
	return all
}

// place is group, row and column, if the figure has them.
func (f *Figure) place() (place []string, inMatrix bool) {
	place = strings.Split(f.Name, "/")
	return place, len(place) == 3
}

func (m *Matrix) put(f *Figure, row, column string) {
	c := slices.IndexFunc(m.Columns, func(c Column) bool { return c.Name == column })
	if c < 0 {
		c, m.Columns = len(m.Columns), append(m.Columns, Column{column, f.Unit})
	}
	nth := slices.IndexFunc(m.Rows, func(r Row) bool { return r.Name == row })
	if nth < 0 {
		nth, m.Rows = len(m.Rows), append(m.Rows, Row{Name: row})
	}
	r := &m.Rows[nth]
	for len(r.Cells) <= c {
		r.Cells = append(r.Cells, nil)
	}
	r.Cells[c], r.Errors = f, max(r.Errors, f.Errors)
}
