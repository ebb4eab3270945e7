//go:build !linux

package sidecar

import "time"

// sleeper sleeps as well as Go does: for a millisecond, as a rule, where less was asked for.
type sleeper struct{}

func newSleeper() (*sleeper, error) { return &sleeper{}, nil }

func (*sleeper) sleep(d time.Duration) { time.Sleep(d) }

func (*sleeper) close() {}
