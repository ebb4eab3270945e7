package replay

import (
	"errors"
	"fmt"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

// Game is one hunt, played from records. It is not safe for concurrent use.
type Game struct{ hunt *rules.Hunt }

// Hunt is the hunt as it stands.
func (g *Game) Hunt() *rules.Hunt { return g.hunt }

// Open begins a game with its first record, and answers that record in full.
func Open(first *pb.Record) (*Game, *pb.Record, error) {
	created := first.GetCreated()
	if created == nil {
		return nil, nil, errors.New("the file has to begin with a created record")
	}
	if v := created.GetRulesVersion(); v != 0 && v != rules.Version {
		return nil, nil, fmt.Errorf("created.rules_version: this engine plays rules version %d, not %d", rules.Version, v)
	}
	if f := playerstate.CheckHuntID(first.GetHuntId()); f != nil {
		return nil, nil, f
	}
	if f := playerstate.CheckSettings(created.GetSettings()); f != nil {
		return nil, nil, f
	}
	ruleset, err := rules.ParseRuleset("created.ruleset", created.GetRuleset())
	if err != nil {
		return nil, nil, err
	}
	if hash := created.GetRulesetHash(); hash != "" && hash != ruleset.Hash() {
		return nil, nil, fmt.Errorf("created.ruleset_hash: is %s, the ruleset's is %s", hash, ruleset.Hash())
	}
	hunt := rules.Create(first.GetHuntId(), created.GetSettings(), ruleset, first.GetEpoch(), first.GetAtMs())
	return &Game{hunt: hunt}, hunt.CreatedRecord(), nil
}

// Resume goes on with a hunt, as one that was restored from a snapshot.
func Resume(hunt *rules.Hunt) *Game { return &Game{hunt: hunt} }

// Play takes the game on by one record. What comes back is the record as it was
// given, with what became of it; the game is as before if it fails.
func (g *Game) Play(given *pb.Record) (*pb.Record, error) {
	switch change := given.GetChange().(type) {
	case *pb.Record_Applied:
		outcome, err := g.Apply(given.GetAtMs(), change.Applied.GetCommand())
		if err != nil {
			return nil, err
		}
		return g.answered(given, change.Applied.GetCommand(), outcome), nil
	case *pb.Record_Ended:
		return g.end(given.GetAtMs())
	case *pb.Record_OwnerChanged:
		return g.changeOwner(given, change.OwnerChanged)
	default:
		return nil, errors.New("only applied, ended and owner_changed records may follow the first")
	}
}

// Apply takes one command to its outcome, as an engine does that has the hunt
// alone and whose callers never run out of budget.
func (g *Game) Apply(atMs int64, cmd *pb.Command) (*pb.Outcome, error) {
	if atMs < g.hunt.LastAtMs() {
		return nil, fmt.Errorf("at_ms: %d is before the last record's %d", atMs, g.hunt.LastAtMs())
	}
	if field := playerstate.MalformedField(cmd); field != "" {
		return playerstate.InvalidOutcome(cmd.GetRequestId(), field), nil
	}
	if cmd.GetHuntId() != g.hunt.ID() {
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_REASON_UNKNOWN_HUNT}), nil
	}
	if epoch := cmd.GetEpoch(); epoch != 0 && epoch != g.hunt.Epoch() {
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_REASON_STALE_EPOCH, Epoch: g.hunt.Epoch()}), nil
	}
	return g.hunt.Apply(rules.CommandOf(cmd), atMs)
}

// answered is a command's record with its outcome. One that was applied is what
// the feed would hold; any other has no place in the hunt's order.
func (g *Game) answered(given *pb.Record, cmd *pb.Command, outcome *pb.Outcome) *pb.Record {
	if outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		return &pb.Record{
			HuntId: given.GetHuntId(),
			AtMs:   given.GetAtMs(),
			Change: &pb.Record_Applied{Applied: &pb.Applied{Command: cmd, Outcome: outcome}},
		}
	}
	record := g.hunt.AppliedRecord(rules.CommandOf(cmd), outcome)
	record.Digest = 0 // its own rhythm here
	if g.hunt.Sequence()%digestEvery == 0 {
		record.Digest = g.hunt.Digest()
	}
	return record
}

func (g *Game) end(atMs int64) (*pb.Record, error) {
	first, err := g.hunt.End(atMs)
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, errors.New("the hunt ended before; it ends once")
	}
	return g.hunt.EndedRecord(), nil
}

func (g *Game) changeOwner(given *pb.Record, change *pb.OwnerChanged) (*pb.Record, error) {
	if err := g.hunt.ChangeOwner(given.GetEpoch(), given.GetAtMs()); err != nil {
		return nil, err
	}
	return g.hunt.OwnerChangedRecord(change.GetOwner(), change.GetMissed()), nil
}
