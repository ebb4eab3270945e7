package account

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// ticks is what /proc says of a process's CPU, by other ways, to 10 ms.
func ticks(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestTheCPUIsThatOfTheOtherProcess compares a busy process with what the kernel says
// elsewhere, and an idle one with nothing: the clock of any other process, our own
// one's too, would pass neither.
func TestTheCPUIsThatOfTheOtherProcess(t *testing.T) {
	busy, idle := exec.Command("sh", "-c", "while :; do :; done"), exec.Command("sleep", "60")
	for _, cmd := range []*exec.Cmd{busy, idle} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	const atLeast = 300 * time.Millisecond
	for ticks(t, busy.Process.Pid) < atLeast {
		time.Sleep(10 * time.Millisecond)
	}
	before := ticks(t, busy.Process.Pid)
	used, err := CPU(busy.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	after := ticks(t, busy.Process.Pid)
	const tick = 10 * time.Millisecond
	if used < before-2*tick || used > after+2*tick {
		t.Errorf("the CPU is %s, and /proc says %s to %s", used, before, after)
	}
	if used, err = CPU(idle.Process.Pid); err != nil || used > 100*time.Millisecond {
		t.Errorf("a process that sleeps used %s, %v", used, err)
	}
	waits, err := WaitsOf(busy.Process.Pid)
	if err != nil || waits.Turns == 0 {
		t.Errorf("a process that ran was given a core %d times, %v", waits.Turns, err)
	}
	if resident, err := Resident(busy.Process.Pid); err != nil || resident < 100<<10 || resident > 100<<20 {
		t.Errorf("a shell takes %d bytes, %v", resident, err)
	}
}

func TestAProcessThatIsGoneIsAnError(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if used, err := CPU(pid); err == nil {
		t.Errorf("it used %s", used)
	}
	if waits, err := WaitsOf(pid); err == nil {
		t.Errorf("it waited %v", waits)
	}
	if bytes, err := Resident(pid); err == nil {
		t.Errorf("it takes %d bytes", bytes)
	}
}

func TestWaitsAreTheSecondAndThirdNumber(t *testing.T) {
	first, err := parseWaits([]byte("5000000 1000 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := parseWaits([]byte("9000000 9000 6\n"))
	if err != nil {
		t.Fatal(err)
	}
	between := second.Since(first)
	if between.Delay != 8*time.Microsecond || between.Turns != 4 || between.Mean() != 2*time.Microsecond {
		t.Errorf("between them: %+v, mean %s", between, between.Mean())
	}
	for _, text := range []string{"", "1 2", "a b c"} {
		if waits, err := parseWaits([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, waits)
		}
	}
}

func TestResidentIsInBytes(t *testing.T) {
	bytes, err := parseResident("x", "55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:                1804 kB\nPss:  7 kB\n")
	if err != nil || bytes != 1804*1024 {
		t.Errorf("%d bytes, %v", bytes, err)
	}
	if bytes, err := parseResident("x", "Pss: 7 kB\n"); err == nil {
		t.Errorf("%d bytes", bytes)
	}
}

// TestTheBoundOfWaitsIsAboveTheirTrueQuantile groups waits that are known, as samples
// group them.
func TestTheBoundOfWaitsIsAboveTheirTrueQuantile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var waits []time.Duration
	var all Sampled
	for range 2000 {
		var sample Waits
		for range 1 + random.IntN(8) {
			wait := time.Duration(random.ExpFloat64() * float64(20*time.Microsecond))
			waits = append(waits, wait)
			sample.Delay += wait
			sample.Turns++
		}
		all = append(all, sample)
	}
	slices.Sort(waits)
	for _, part := range []float64{0.5, 0.9, 0.99} {
		truly, bound := waits[int(part*float64(len(waits)))], all.AtMost(part)
		if bound < truly || bound > 3*truly {
			t.Errorf("%v of the waits are below %s, and the bound is %s", part, truly, bound)
		}
	}
	// One wait a sample: then the bound is the quantile.
	each := Sampled{{10, 1}, {20, 1}, {30, 1}, {40, 1}}
	if bound := each.AtMost(0.75); bound != 31 {
		t.Errorf("three of four are at most 30, and the bound is %d", bound)
	}
	if bound := (Sampled{}).AtMost(0.99); bound != 0 {
		t.Errorf("no wait is at most %s", bound)
	}
}

func TestSamplesAddUpToWhatWasRead(t *testing.T) {
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = busy.Process.Kill()
		_ = busy.Wait()
	})
	for ticks(t, busy.Process.Pid) < 50*time.Millisecond { // what it waited by now is in no sample
		time.Sleep(10 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	before, err := WaitsOf(busy.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	all, err := SampleWaits(ctx, busy.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	after, err := WaitsOf(busy.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	var sum Waits
	for _, waits := range all {
		sum.Delay += waits.Delay
		sum.Turns += waits.Turns
	}
	if most := after.Since(before); sum.Delay > most.Delay || sum.Turns > most.Turns {
		t.Errorf("the samples are %+v in all, and there was %+v", sum, most)
	}
}
