package quota

import (
	"os/exec"
	"testing"
	"time"

	"treasurehunt.example/go-compat/bench/account"
	"treasurehunt.example/go-compat/internal/skipped"
)

func TestAProcessUnderAQuotaGetsNoMore(t *testing.T) {
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = busy.Process.Kill()
		_ = busy.Wait()
	})
	pid := busy.Process.Pid
	lift, err := Limit(pid, 0.2)
	if err != nil {
		skipped.Test(t, "no quota can be set here: "+err.Error())
	}
	before, err := account.CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // is what is measured
	after, err := account.CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	if used := after - before; used > 350*time.Millisecond {
		t.Errorf("it used %s in a second, with a fifth of a core", used)
	}
	if err := lift(); err != nil {
		t.Error(err)
	}
}

func TestTheGroupIsThatOfTheController(t *testing.T) {
	const version1 = "9:name=systemd:/s\n2:cpu,cpuacct:/a/b\n1:memory:/m\n0::/u\n"
	group, set := groupOf(version1, false, 0.8)
	if group != "/sys/fs/cgroup/cpu/a/b" || len(set) != 2 || set[1] != (value{"cpu.cfs_quota_us", "80000"}) {
		t.Errorf("version 1: %s %v", group, set)
	}
	group, set = groupOf("0::/user.slice\n", true, 1.6)
	if group != "/sys/fs/cgroup/user.slice" || len(set) != 1 || set[0] != (value{"cpu.max", "160000 100000"}) {
		t.Errorf("version 2: %s %v", group, set)
	}
}
