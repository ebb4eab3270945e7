package huntgen

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

func TestSameSeedSameHunt(t *testing.T) {
	for seed := range uint64(20) {
		first, err := Generate(seed, 100)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Generate(seed, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i := range first {
			if !proto.Equal(first[i], again[i]) {
				t.Fatalf("seed %d: record %d differs from one run to the next", seed, i+1)
			}
		}
	}
}

// TestAListOfDiceThatLacksSomeIsAHuntToo is what shrinking a hunt stands on.
func TestAListOfDiceThatLacksSomeIsAHuntToo(t *testing.T) {
	for seed := range uint64(20) {
		g, err := New(seed)
		if err != nil {
			t.Fatal(err)
		}
		for dice := seed; dice < seed+300; dice += 3 {
			if _, _, err := g.Step(dice); err != nil {
				t.Fatalf("seed %d, dice %d: %v", seed, dice, err)
			}
		}
	}
}

func TestEveryRandomRulesetIsValid(t *testing.T) {
	for seed := range uint64(2000) {
		if _, err := New(seed); err != nil {
			t.Error(err)
		}
	}
}
