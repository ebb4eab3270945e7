package huntgen

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

// Legacy plays against the Go rules. It panics on a stamp that falls, which
// [Generate] never gives.
func Legacy(created *pb.Record) (*pb.HuntSnapshot, Apply, error) {
	ruleset, err := rules.ParseRuleset("generated.toml", created.GetCreated().GetRuleset())
	if err != nil {
		return nil, nil, err
	}
	hunt := rules.Create(created.GetHuntId(), created.GetCreated().GetSettings(), ruleset, created.GetEpoch(), created.GetAtMs())
	apply := func(atMs int64, cmd *pb.Command) *pb.Outcome {
		if field := playerstate.MalformedField(cmd); field != "" {
			return playerstate.InvalidOutcome(cmd.GetRequestId(), field)
		}
		if hunt.Due(atMs) {
			if _, err := hunt.End(atMs); err != nil {
				panic(err)
			}
		}
		outcome, err := hunt.Apply(rules.CommandOf(cmd), atMs)
		if err != nil {
			panic(err)
		}
		return outcome
	}
	return hunt.Snapshot(), apply, nil
}
