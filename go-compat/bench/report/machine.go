package report

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what the figures were measured on.
type Machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	MemoryBytes uint64 `json:"memory_bytes"`
	Kernel      string `json:"kernel"`
	// Disk is the file system on which the data directories were.
	Disk string `json:"disk"`
	Go   string `json:"go"`
}

// fileSystems are those that statfs(2) tells by number.
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC:      "ext4",
	unix.XFS_SUPER_MAGIC:       "xfs",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	unix.F2FS_SUPER_MAGIC:      "f2fs",
	zfsMagic:                   "zfs",
}

const zfsMagic = 0x2fc12fc1 // x/sys/unix does not have it

// thisMachine looks around. It refuses a directory in memory, on which a sync costs
// nothing.
func thisMachine(dir string) (Machine, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return Machine{}, fmt.Errorf("statfs %s: %w", dir, err)
	}
	kind := int64(fs.Type)
	if kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC {
		return Machine{}, fmt.Errorf("%s is in memory, where a sync costs nothing: name a directory on a disk by --dir", dir)
	}
	disk, known := fileSystems[kind]
	if !known {
		disk = fmt.Sprintf("file system 0x%x", kind)
	}
	var system unix.Utsname
	if err := unix.Uname(&system); err != nil {
		return Machine{}, fmt.Errorf("uname: %w", err)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return Machine{}, fmt.Errorf("sysinfo: %w", err)
	}
	return Machine{
		CPU: cpuModel(), Cores: runtime.NumCPU(), MemoryBytes: uint64(info.Totalram) * uint64(info.Unit),
		Kernel: unix.ByteSliceToString(system.Release[:]), Disk: disk, Go: runtime.Version(),
	}, nil
}

func cpuModel() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// loadAverage is of 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// commit is what stands in the working directory. The bench and the programs that it
// runs are built from there, by make bench.
func commit() string {
	text, err := exec.Command("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=, changed since").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
