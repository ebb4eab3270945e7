package rollout

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/twmb/murmur3"
	"pgregory.net/rapid"
)

func TestTheSplitIsTheOneOfTheGoldenVectors(t *testing.T) {
	text, err := os.ReadFile("../../tests/vectors/murmur3.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Vectors []struct {
			ID     string `json:"id"`
			Hash   uint32 `json:"murmur3_32"`
			Bucket uint32 `json:"bucket"`
		} `json:"vectors"`
		Placements []struct {
			ID      string  `json:"id"`
			Percent float64 `json:"percent"`
			Sidecar bool    `json:"sidecar"`
		} `json:"placements"`
	}
	if err := json.Unmarshal(text, &golden); err != nil || len(golden.Vectors) == 0 || len(golden.Placements) == 0 {
		t.Fatalf("%d vectors, %d placements, %v", len(golden.Vectors), len(golden.Placements), err)
	}
	for _, p := range golden.Placements {
		if percent, err := ParsePercent(p.Percent); err != nil || percent.Includes(p.ID) != p.Sidecar {
			t.Errorf("%q at %v percent: on the sidecar %v, %v; want %v", p.ID, p.Percent, !p.Sidecar, err, p.Sidecar)
		}
	}
	for _, v := range golden.Vectors {
		if hash := murmur3.StringSum32(v.ID); hash != v.Hash {
			t.Errorf("murmur3_32(%q) is %d; want %d", v.ID, hash, v.Hash)
		}
		if bucket := Bucket(v.ID); bucket != v.Bucket {
			t.Errorf("bucket of %q is %d; want %d", v.ID, bucket, v.Bucket)
		}
		if at, above := Percent(v.Bucket).Includes(v.ID), Percent(v.Bucket+1).Includes(v.ID); at || !above {
			t.Errorf("%q: included at its bucket: %v, a step above: %v", v.ID, at, above)
		}
	}
}

func TestRaisingOnlyAddsHuntsAndLoweringOnlyRemoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lower := Percent(rapid.Uint32Range(0, buckets).Draw(t, "lower"))
		higher := Percent(rapid.Uint32Range(uint32(lower), buckets).Draw(t, "higher"))
		huntID := rapid.StringMatching(`[A-Za-z0-9._:-]{1,64}`).Draw(t, "hunt")
		if lower.Includes(huntID) && !higher.Includes(huntID) {
			t.Fatalf("%s is included at %s and not at %s", huntID, lower, higher)
		}
		if Percent(0).Includes(huntID) || !Percent(buckets).Includes(huntID) {
			t.Fatalf("%s: 0 and 100 do not mean none and all", huntID)
		}
	})
}

func TestEveryStepIsAPercentage(t *testing.T) {
	for step := range uint32(buckets + 1) {
		if got, err := ParsePercent(Percent(step).Float()); err != nil || got != Percent(step) {
			t.Fatalf("step %d comes back as %v, %v", step, got, err)
		}
	}
}

func TestAPercentageThatMakesNoSenseIsRefused(t *testing.T) {
	for _, silly := range []float64{-1, -0.001, 100.001, 100.1, 1e300, 0.0005, 33.33333, math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got, err := ParsePercent(silly); err == nil {
			t.Errorf("%v is taken as %s", silly, got)
		}
	}
}
