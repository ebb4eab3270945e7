package huntgen

import (
	"testing"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestSameSeedSameHunt(t *testing.T) {
	for seed := range uint64(20) {
		first, err := Generate(seed, 100, Legacy)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Generate(seed, 100, Legacy)
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

func TestEveryRandomRulesetIsValid(t *testing.T) {
	for seed := range uint64(2000) {
		if _, err := Generate(seed, 0, Legacy); err != nil {
			t.Error(err)
		}
	}
}

// TestHuntsMeetEveryRule counts over as many hunts as the comparison plays.
func TestHuntsMeetEveryRule(t *testing.T) {
	rejections := make(map[pb.Rejection]int)
	impacts := make(map[pb.EffectKind]int)
	applied := 0
	counting := func(created *pb.Record) (*pb.HuntSnapshot, Apply, error) {
		start, apply, err := Legacy(created)
		return start, func(atMs int64, cmd *pb.Command) *pb.Outcome {
			outcome := apply(atMs, cmd)
			rejections[outcome.GetRejection()]++
			for _, impact := range outcome.GetImpacts() {
				impacts[impact.GetEffect()]++
			}
			if outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
				applied++
			}
			return outcome
		}, err
	}
	const hunts, commands = 40, 500
	for seed := range uint64(hunts) {
		if _, err := Generate(seed, commands, counting); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d commands applied; %v; %v", applied, hunts*commands, rejections, impacts)
	if applied < hunts*commands/3 {
		t.Errorf("only %d of %d commands were applied", applied, hunts*commands)
	}
	for n, name := range pb.Rejection_name {
		if rejections[pb.Rejection(n)] == 0 {
			t.Errorf("no hunt met %s", name)
		}
	}
	for n, name := range pb.EffectKind_name {
		if n != 0 && impacts[pb.EffectKind(n)] == 0 {
			t.Errorf("no hunt met %s", name)
		}
	}
}
