package rollout

import (
	"fmt"
	"math"
	"strconv"

	"github.com/twmb/murmur3"
)

// Percent is a share of hunts in steps of a thousandth of a percent: 0 to 100,000.
type Percent uint32

const (
	stepsPerPercent = 1000
	buckets         = 100 * stepsPerPercent
	// stepTolerance is how far a float may be from its step: more than the error
	// of 0.001, less than anybody would write.
	stepTolerance = 1e-6
)

// ParsePercent takes a number from 0 to 100 in steps of 0.001. Anything else,
// NaN too, is an error.
func ParsePercent(percent float64) (Percent, error) {
	if !(percent >= 0 && percent <= 100) {
		return 0, fmt.Errorf("the percentage must be 0 to 100; this is %v", percent)
	}
	steps := math.Round(percent * stepsPerPercent)
	if math.Abs(percent*stepsPerPercent-steps) > stepTolerance {
		return 0, fmt.Errorf("the percentage has steps of 0.001; %v is between two", percent)
	}
	return Percent(steps), nil
}

// Float is the percentage as a number from 0 to 100.
func (p Percent) Float() float64 { return float64(p) / stepsPerPercent }

func (p Percent) String() string { return strconv.FormatFloat(p.Float(), 'f', -1, 64) + "%" }

// Includes says whether the hunt is among the share.
func (p Percent) Includes(huntID string) bool { return Bucket(huntID) < uint32(p) }

// Bucket is the hunt's place in the split, 0 to 99,999: murmur3_32 of the id with
// seed 0, scaled. tests/vectors/murmur3.json has examples.
func Bucket(huntID string) uint32 {
	return uint32(uint64(murmur3.StringSum32(huntID)) * buckets >> 32)
}
