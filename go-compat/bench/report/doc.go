// Package report keeps what a bench found: its figures, each beside its goal, and
// everything that they were made from. It writes them as one line a figure, as JSON
// and as the table of docs/benchmarks.md.
//
// A figure that misses its goal is a figure, printed as missed. One that was not
// measured is never left out: it says why.
package report
