package sidecar

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper sleeps for less than a millisecond. Go's own timers cannot, in a process
// that is idle: its poller waits in whole milliseconds. So this one is a descriptor
// that becomes readable.
type sleeper struct {
	fd   int
	file *os.File
	read [8]byte // how often it ran out
}

func newSleeper() (*sleeper, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &sleeper{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}, nil
}

// sleep returns after d. It sleeps less where the system refuses, never more.
func (s *sleeper) sleep(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	if unix.TimerfdSettime(s.fd, 0, &spec, nil) == nil {
		_, _ = s.file.Read(s.read[:])
	}
}

func (s *sleeper) close() { _ = s.file.Close() } // nothing was written to it
