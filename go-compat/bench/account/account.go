// Package account reads what the kernel keeps of a process: the CPU it used, how long
// its threads waited for a core, the memory it has.
package account

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is what all threads of a process have used since it began, those that ended
// included, in user mode and in the kernel. It is exact to the nanosecond, where the
// ticks of /proc/PID/stat are 10 ms.
func CPU(pid int) (time.Duration, error) {
	var used unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &used); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(used.Nano()), nil
}

// cpuClock is clock_getcpuclockid(3): the process in the upper bits, inverted, and in
// the lowest three that the clock is of a whole process and of its time on a core.
func cpuClock(pid int) int32 {
	const processScheduled = 2
	return int32(^pid)<<3 | processScheduled
}

// Waits are how long the threads of a process were ready to run and had no core.
type Waits struct {
	Delay time.Duration // in all
	Turns uint64        // how often a thread was given a core
}

// Since is what came after an earlier reading.
func (w Waits) Since(earlier Waits) Waits {
	return Waits{w.Delay - earlier.Delay, w.Turns - earlier.Turns}
}

// Mean is the wait of one turn.
func (w Waits) Mean() time.Duration { return w.Delay / time.Duration(max(w.Turns, 1)) }

// WaitsOf reads the waits of all threads that a process has now.
func WaitsOf(pid int) (Waits, error) {
	var all Waits
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return all, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) { // the thread ended since the directory was read
			continue
		}
		if err != nil {
			return all, err
		}
		thread, err := parseWaits(string(text))
		if err != nil {
			return all, fmt.Errorf("%s: %w", path, err)
		}
		all.Delay += thread.Delay
		all.Turns += thread.Turns
	}
	if len(paths) == 0 {
		return all, fmt.Errorf("process %d has no threads in /proc", pid)
	}
	return all, nil
}

// parseWaits reads "run_ns delay_ns turns".
func parseWaits(text string) (Waits, error) {
	var run, delay, turns uint64
	if _, err := fmt.Sscan(text, &run, &delay, &turns); err != nil {
		return Waits{}, fmt.Errorf("%q is not three numbers: %w", text, err)
	}
	return Waits{time.Duration(delay), turns}, nil
}

// Resident is the memory that a process has in RAM, in bytes.
func Resident(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid) // exact, where statm is off by some pages a thread
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return parseResident(path, string(text))
}

func parseResident(path, text string) (int64, error) {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, "Rss:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no line Rss", path)
}
