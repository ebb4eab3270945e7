package rollout

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	fileBytesMax = 1 << 20
	// settle gathers the events of one change: an editor makes several. It is not
	// prolonged by further ones, so that a file that changes all the time is read too.
	settle = 20 * time.Millisecond
	// look is how often the file is read although nothing was heard of it: for
	// file systems without events, and for a directory that was replaced.
	look = 2 * time.Second
)

// watchedFile is a file that others replace at any moment. What is watched is its
// directory: editors rename a new file into place, and a Kubernetes ConfigMap
// swaps a symlink beside it, so the file that is there now will be another one.
type watchedFile struct {
	path string
	dir  string
}

func newWatchedFile(path string) *watchedFile {
	return &watchedFile{path: path, dir: filepath.Dir(path)}
}

// read takes the whole file, at most 1 MiB.
func (w *watchedFile) read() ([]byte, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would make the reader wait for ever
		return nil, fmt.Errorf("%s is no regular file", w.path)
	}
	file, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, fileBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > fileBytesMax {
		return nil, fmt.Errorf("%s has more than %d bytes", w.path, fileBytesMax)
	}
	return text, nil
}

// watch calls changed at once, soon after anything happens in the directory, and
// now and then besides, until ctx is over.
func (w *watchedFile) watch(ctx context.Context, changed func()) {
	var events <-chan fsnotify.Event
	var lost <-chan error
	follow := func() {}
	if watcher, err := fsnotify.NewWatcher(); err == nil { // else polling has to do
		defer watcher.Close()
		events, lost = watcher.Events, watcher.Errors
		// The directory that is at the path now; one that is missing, next time.
		follow = func() { _ = watcher.Add(w.dir) }
	}
	poll := time.NewTicker(look)
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
