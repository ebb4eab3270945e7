package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// diskBytes is what a directory takes on disk, as du(1) has it: room that a file set
// aside and did not use is not counted. wal is the part of the write-ahead files.
func diskBytes(dir string) (bytes, wal int64, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				took := info.Sys().(*syscall.Stat_t).Blocks * 512
				bytes += took
				if filepath.Ext(path) == walExtension {
					wal += took
				}
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // merged into another since the directory was read
			return nil
		}
		return err
	})
	return bytes, wal, err
}

// settled waits until a directory's size stays as it is, and then answers as diskBytes.
func settled(ctx context.Context, dir string) (bytes, wal int64, err error) {
	limit := time.Now().Add(settleLimit)
	last, since := int64(-1), time.Now()
	for {
		if bytes, wal, err = diskBytes(dir); err != nil {
			return 0, 0, err
		}
		now := time.Now()
		if bytes != last {
			last, since = bytes, now
		}
		if now.Sub(since) >= settleQuiet {
			return bytes, wal, nil
		}
		if now.After(limit) {
			return 0, 0, fmt.Errorf("%s still changes its size after %s without a command", dir, settleLimit)
		}
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// rotations counts how often a new write-ahead file was begun in some directories.
// Safe for concurrent use; mu guards what is below it.
type rotations struct {
	dirs []string

	mu    sync.Mutex
	known map[string]bool
	begun map[string]int // by directory
}

// watchRotations looks until ctx is over, in every directory under dir that has a
// write-ahead file now.
func watchRotations(ctx context.Context, dir string) (*rotations, error) {
	r, err := findRotations(dir)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
				r.look()
			}
		}
	}()
	return r, nil
}

func findRotations(dir string) (*rotations, error) {
	r := &rotations{known: make(map[string]bool), begun: make(map[string]int)}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == walExtension {
			r.known[path] = true
			r.dirs = append(r.dirs, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(r.dirs) == 0 {
		return nil, fmt.Errorf("there is no write-ahead file, *%s, anywhere in %s", walExtension, dir)
	}
	slices.Sort(r.dirs)
	r.dirs = slices.Compact(r.dirs)
	return r, nil
}

// walExtension is how fjall names its write-ahead files.
const walExtension = ".jnl"

func (r *rotations) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, dir := range r.dirs {
		entries, _ := os.ReadDir(dir) // a directory that cannot be read shows no rotation
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			if filepath.Ext(path) == walExtension && !r.known[path] {
				r.known[path] = true
				r.begun[dir]++
			}
		}
	}
}

// most is the count of the directory that was rotated the most: that of the records.
func (r *rotations) most() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 0
	for _, count := range r.begun {
		most = max(most, count)
	}
	return most
}
