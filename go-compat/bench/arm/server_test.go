package arm

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestServerAndLoadShareNoCore also where some cores are not ours to use.
func TestServerAndLoadShareNoCore(t *testing.T) {
	of := func(cores ...int) (set unix.CPUSet) {
		for _, core := range cores {
			set.Set(core)
		}
		return set
	}
	for _, c := range []struct {
		allowed unix.CPUSet
		want    Cores
	}{
		{of(0, 1), Cores{"0", "1"}},
		{of(2, 3, 7), Cores{"2", "3,7"}},
		{of(4, 5, 70, 71), Cores{"4,5", "70,71"}},
	} {
		if got, err := halves(c.allowed); err != nil || got != c.want {
			t.Errorf("%v, %v, want %v", got, err, c.want)
		}
	}
	if got, err := halves(of(3)); err == nil {
		t.Errorf("one core is pinned apart: %v", got)
	}
}
