// Package filewatch reads files that others replace at any moment, and says when
// that may have happened.
//
// What is watched is a directory: editors rename a new file into place, and a
// Kubernetes ConfigMap swaps a symlink beside it, so the file that is there now
// will be another one.
package filewatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle gathers the events of one change: an editor makes several. It is not
// prolonged by further ones, so that a file that changes all the time is read too.
const settle = 20 * time.Millisecond

// LookEvery is how often a directory is looked at although nothing was heard of
// it: for file systems without events, and for a directory that was replaced.
const LookEvery = 2 * time.Second

// Read takes a whole file of at most so many bytes.
func Read(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would make the reader wait for ever
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return text, nil
}

// Directory calls changed at once, soon after anything happens in a directory,
// and now and then besides, until ctx is over. When the system gives no events for
// a directory that is there, log hears of it once: a change is then seen within
// [LookEvery].
func Directory(ctx context.Context, log *slog.Logger, dir string, changed func()) {
	var events <-chan fsnotify.Event
	var lost <-chan error
	follow := func() {}
	var toldOnce sync.Once
	pollingOnly := func(err error) {
		toldOnce.Do(func() {
			log.Warn("a directory cannot be watched: changes are seen later, by looking", "dir", dir, "every", LookEvery, "error", err)
		})
	}
	if watcher, err := fsnotify.NewWatcher(); err != nil {
		pollingOnly(err)
	} else {
		defer watcher.Close()
		events, lost = watcher.Events, watcher.Errors
		// The directory that is at the path now; one that is missing, next time.
		follow = func() {
			if err := watcher.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				pollingOnly(err)
			}
		}
	}
	poll := time.NewTicker(LookEvery)
	defer poll.Stop()
	var settled <-chan time.Time
	follow()
	changed() // what happened before it was followed
	for {
		select {
		case <-events:
			if settled == nil {
				settled = time.After(settle)
			}
		case <-lost: // some events, so perhaps ours
			changed()
		case <-settled:
			settled = nil
			changed()
		case <-poll.C:
			follow()
			changed()
		case <-ctx.Done():
			return
		}
	}
}
