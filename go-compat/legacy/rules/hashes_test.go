package rules

import (
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func TestXXH64IsTheOneOfTheGoldenVectors(t *testing.T) {
	var golden struct {
		Vectors []struct {
			Text  string `json:"text"`
			Seed  uint64 `json:"seed,string"`
			XXH64 string `json:"xxh64"`
		} `json:"vectors"`
	}
	readJSON(t, vectors+"xxh64.json", &golden)
	if len(golden.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range golden.Vectors {
		d := xxhash.NewWithSeed(v.Seed)
		_, _ = d.WriteString(v.Text)
		if got := fmt.Sprintf("0x%016x", d.Sum64()); got != v.XXH64 {
			t.Errorf("XXH64(%q, seed %d) is %s, want %s", v.Text, v.Seed, got, v.XXH64)
		}
	}
}

func TestChanceIsTheSplitMix64OfTheGoldenVectors(t *testing.T) {
	var golden struct {
		Next []struct {
			State      uint64   `json:"state,string"`
			Next       []string `json:"next"`
			StateAfter uint64   `json:"state_after,string"`
		} `json:"next"`
		Below []struct {
			State uint64   `json:"state,string"`
			N     uint64   `json:"n,string"`
			Below []string `json:"below"`
		} `json:"below"`
	}
	readJSON(t, vectors+"splitmix64.json", &golden)
	if len(golden.Next) == 0 || len(golden.Below) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range golden.Next {
		random := splitMix{state: v.State}
		drawn(t, v.Next, random.next, "from %d, next", v.State)
		if random.state != v.StateAfter {
			t.Errorf("from %d the state comes to %d, want %d", v.State, random.state, v.StateAfter)
		}
	}
	for _, v := range golden.Below {
		random := splitMix{state: v.State}
		drawn(t, v.Below, func() uint64 { return random.below(v.N) }, "from %d, below(%d)", v.State, v.N)
	}
}

func drawn(t *testing.T, want []string, draw func() uint64, what string, args ...any) {
	t.Helper()
	for i, w := range want {
		if got := fmt.Sprint(draw()); got != w {
			t.Errorf("%s is %s at draw %d, want %s", fmt.Sprintf(what, args...), got, i+1, w)
		}
	}
}
