// Package logbook is a log that a test reads while the code under test still writes it.
package logbook

import (
	"log/slog"
	"strings"
	"sync"
)

// Book is what was logged so far. Safe for concurrent use.
type Book struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// New is an empty book, and a logger that writes into it as programs log: text, from INFO on.
func New() (*Book, *slog.Logger) {
	b := &Book{}
	return b, slog.New(slog.NewTextHandler(b, nil))
}

// Write takes one line.
func (b *Book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

// String is all that was logged.
func (b *Book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Says tells whether it was logged.
func (b *Book) Says(what string) bool { return b.Count(what) > 0 }

// Count is how often it was logged.
func (b *Book) Count(what string) int { return strings.Count(b.String(), what) }
