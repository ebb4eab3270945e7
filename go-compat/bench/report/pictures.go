package report

import (
	"path/filepath"
	"slices"
	"strings"
)

// Picture is a plot of what a suite found.
type Picture struct {
	Suite, File, What string
}

// pictures are all that there can be.
var pictures = []Picture{
	{"bridge", "cpu.svg", "CPU a command by arm, server and client"},
	{"open", "p99.svg", "99 of 100 answers came within, by arm"},
	{"memory", "memory.svg", "resident memory by players"},
}

// Pictures are those of the suites that were run.
func (r *Report) Pictures() (of []Picture) {
	for _, picture := range pictures {
		if slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Suite == picture.Suite }) {
			of = append(of, picture)
		}
	}
	return of
}

// PicturesOf is the directory of a document's pictures: beside it, of its name.
func PicturesOf(document string) string { return strings.TrimSuffix(document, filepath.Ext(document)) }
