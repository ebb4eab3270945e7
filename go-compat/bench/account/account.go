// Package account reads what the kernel keeps of a process: the CPU it used, how long
// its threads waited for a core, the memory it has.
package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
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
func WaitsOf(pid int) (all Waits, err error) {
	threads, err := openThreads(pid)
	if err != nil {
		return all, err
	}
	defer threads.close()
	for _, t := range threads {
		waits, err := t.read()
		if err != nil {
			return all, err
		}
		all.Delay += waits.Delay
		all.Turns += waits.Turns
	}
	return all, nil
}

// threads are those of a process, by their names in /proc.
type threads map[string]*thread

// thread has its schedstat open: opening it would cost several times what reading does.
type thread struct {
	file *os.File
	last Waits
	text [64]byte // three numbers have no more
}

func openThreads(pid int) (threads, error) {
	all := make(threads)
	return all, all.open(pid)
}

// open opens those that are new. One that ended since is left out.
func (all threads) open(pid int) error {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, known := all[entry.Name()]; known {
			continue
		}
		file, err := os.Open(filepath.Join(dir, entry.Name(), "schedstat"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		all[entry.Name()] = &thread{file: file}
	}
	return nil
}

func (all threads) close() {
	for _, t := range all {
		_ = t.file.Close()
	}
}

// read reads a thread's waits: those that it had last, if it has ended.
func (t *thread) read() (Waits, error) {
	length, err := t.file.ReadAt(t.text[:], 0)
	if errors.Is(err, unix.ESRCH) {
		return t.last, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return t.last, err
	}
	t.last, err = parseWaits(t.text[:length])
	return t.last, err
}

// Sampled are the waits of short times, each of one thread.
type Sampled []Waits

const (
	// sampleEvery is how long these times are. A busy server's thread is given a core some
	// times in each.
	sampleEvery = time.Millisecond
	// lookEvery is after how many of them new threads are looked for.
	lookEvery = 100
)

// SampleWaits reads the waits of a process's threads again and again, until ctx is over.
func SampleWaits(ctx context.Context, pid int) (Sampled, error) {
	threads, err := openThreads(pid)
	if err != nil {
		return nil, err
	}
	defer threads.close()
	var all Sampled
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for nth := 0; ; nth++ {
		if all, err = threads.sample(all); err != nil {
			return nil, err
		}
		if nth%lookEvery == 0 {
			if err := threads.open(pid); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
	}
}

// sample adds what came since the sample before. What a thread had waited before its
// first is of no time that was sampled.
func (all threads) sample(into Sampled) (Sampled, error) {
	for _, t := range all {
		before := t.last
		now, err := t.read()
		if err != nil {
			return nil, err
		}
		if since := now.Since(before); before.Turns > 0 && since.Turns > 0 {
			into = append(into, since)
		}
	}
	return into, nil
}

// AtMost is what a part of all waits were below, or less. The kernel tells what the waits
// of a time are in all and not what each was, so this is a bound and may be too high: of
// waits that are d in all no more than d/x can be x or longer.
func (s Sampled) AtMost(part float64) time.Duration {
	var turns uint64
	var longest time.Duration
	for _, waits := range s {
		turns += waits.Turns
		longest = max(longest, waits.Delay)
	}
	allowed := (1 - part) * float64(turns)
	below := sort.Search(int(longest)+1, func(x int) bool {
		var longer uint64
		for _, waits := range s {
			longer += min(waits.Turns, uint64(waits.Delay)/uint64(max(x, 1)))
		}
		return float64(longer) <= allowed
	})
	return time.Duration(below)
}

// parseWaits reads "run_ns delay_ns turns". Without an allocation: it is done some
// thousand times a second beside what is measured.
func parseWaits(text []byte) (Waits, error) {
	var numbers [3]uint64
	rest := bytes.TrimSuffix(text, []byte("\n"))
	for i := range numbers {
		number, after, _ := bytes.Cut(rest, []byte(" "))
		var err error
		if numbers[i], err = strconv.ParseUint(string(number), 10, 64); err != nil {
			return Waits{}, fmt.Errorf("%q is not three numbers: %w", text, err)
		}
		rest = after
	}
	return Waits{time.Duration(numbers[1]), numbers[2]}, nil
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

const (
	// settledWithin is how little memory that has settled changes in settledFor.
	settledWithin = 256 << 10
	settledFor    = time.Second
	settledLimit  = 15 * time.Second
)

// Settled is what Resident answers once it hardly changes any more: an allocator gives
// back what a load left free a while after it.
func Settled(ctx context.Context, pid int) (int64, error) {
	limit := time.Now().Add(settledLimit)
	last, since := int64(0), time.Now()
	for {
		bytes, err := Resident(pid)
		if err != nil {
			return 0, err
		}
		now := time.Now()
		if max(bytes-last, last-bytes) > settledWithin {
			last, since = bytes, now
		}
		if now.Sub(since) >= settledFor {
			return bytes, nil
		}
		if now.After(limit) {
			return 0, fmt.Errorf("process %d still changes its memory after %s without a command", pid, settledLimit)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
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
