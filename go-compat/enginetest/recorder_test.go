package enginetest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// recorder is a test that may fail without failing the test around it. Safe for
// concurrent use, as a testing.T is.
type recorder struct {
	testing.TB // what is not recorded is the outer test's

	mu       sync.Mutex // guards what follows
	failed   bool
	skipped  bool
	text     strings.Builder
	cleanups []func()
}

// record runs a check to its end, its cleanups included.
func record(t testing.TB, check func(testing.TB)) *recorder {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // of its own, because FailNow ends the goroutine
		defer close(done)
		defer r.cleanup()
		check(r)
	}()
	<-done
	return r
}

func (r *recorder) cleanup() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func (r *recorder) write(failed, skipped bool, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = r.failed || failed
	r.skipped = r.skipped || skipped
	fmt.Fprintln(&r.text, strings.TrimSuffix(text, "\n"))
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Helper()         {}
func (r *recorder) Log(args ...any) { r.write(false, false, fmt.Sprintln(args...)) }
func (r *recorder) Logf(format string, args ...any) {
	r.write(false, false, fmt.Sprintf(format, args...))
}
func (r *recorder) Error(args ...any) { r.write(true, false, fmt.Sprintln(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.write(true, false, fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow() {
	r.write(true, false, "")
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(args ...any) {
	r.write(false, true, fmt.Sprintln(args...))
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) { r.Skip(fmt.Sprintf(format, args...)) }
