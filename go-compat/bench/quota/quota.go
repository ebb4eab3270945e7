// Package quota gives a process less CPU than there is, as a container's limit does.
package quota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// root is where the system keeps its control groups.
const root = "/sys/fs/cgroup"

// period is that of containers: what is used up of one is missing until the next.
const period = 100 * time.Millisecond

// Limit puts a process into a control group of its own, below this process's, with so
// much of one core. It takes the right to make groups: mostly root's. The process is
// put back, and the group removed, by lift.
func Limit(pid int, cores float64) (lift func() error, err error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(root, "cgroup.controllers"))
	own, set := groupOf(string(text), err == nil, cores)
	group := filepath.Join(own, fmt.Sprintf("bench-%d", pid))
	if err := os.Mkdir(group, 0o755); err != nil {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	lift = func() error { return errors.Join(enter(own, pid), os.Remove(group)) }
	for _, value := range set {
		if err := os.WriteFile(filepath.Join(group, value.file), []byte(value.text), 0); err != nil {
			return nil, errors.Join(fmt.Errorf("set the quota: %w", err), os.Remove(group))
		}
	}
	if err := enter(group, pid); err != nil {
		return nil, errors.Join(fmt.Errorf("put process %d under the quota: %w", pid, err), os.Remove(group))
	}
	return lift, nil
}

func enter(group string, pid int) error {
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// value is a file of a control group, and what is written into it.
type value struct{ file, text string }

// groupOf is the directory of the group that a process is in, by its /proc/PID/cgroup,
// and what sets a quota there: in the one tree of version 2, or in that of the
// controller cpu in version 1.
func groupOf(text string, version2 bool, cores float64) (string, []value) {
	every := period.Microseconds()
	most := int64(cores * float64(every))
	if version2 {
		return filepath.Join(root, pathOf(text, "")), []value{{"cpu.max", fmt.Sprintf("%d %d", most, every)}}
	}
	return filepath.Join(root, "cpu", pathOf(text, "cpu")), []value{
		{"cpu.cfs_period_us", strconv.FormatInt(every, 10)}, {"cpu.cfs_quota_us", strconv.FormatInt(most, 10)},
	}
}

// pathOf finds the line "number:controllers:path" of a controller.
func pathOf(text, controller string) string {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		for each := range strings.SplitSeq(controllers, ",") {
			if each == controller {
				return path
			}
		}
	}
	return "/"
}
