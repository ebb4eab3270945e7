package account

import (
	"fmt"
	"os"
	"os/exec"
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
	first, err := parseWaits("5000000 1000 2\n")
	if err != nil {
		t.Fatal(err)
	}
	second, err := parseWaits("9000000 9000 6\n")
	if err != nil {
		t.Fatal(err)
	}
	between := second.Since(first)
	if between.Delay != 8*time.Microsecond || between.Turns != 4 || between.Mean() != 2*time.Microsecond {
		t.Errorf("between them: %+v, mean %s", between, between.Mean())
	}
	for _, text := range []string{"", "1 2", "a b c"} {
		if waits, err := parseWaits(text); err == nil {
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
