package rules

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// DigestEvery is how often a record of a command carries the digest.
const DigestEvery = 256

// CreatedRecord is record 1, right after [Create].
func (h *Hunt) CreatedRecord() *pb.Record {
	r := h.record()
	r.Change = &pb.Record_Created{Created: &pb.HuntCreated{
		Settings:     plainSettings(h.settings),
		RulesetHash:  h.ruleset.hash,
		RulesVersion: Version,
		Ruleset:      h.ruleset.source,
	}}
	r.Digest = h.Digest()
	return r
}

// AppliedRecord is the record of the command that was applied last. It holds
// the outcome itself, not a copy.
func (h *Hunt) AppliedRecord(cmd Command, outcome *pb.Outcome) *pb.Record {
	r := h.record()
	r.Change = &pb.Record_Applied{Applied: &pb.Applied{Command: cmd.Message(h.id), Outcome: outcome}}
	if h.sequence%DigestEvery == 0 {
		r.Digest = h.Digest()
	}
	return r
}

// EndedRecord is the record of the end, right after [Hunt.End] wrote it.
func (h *Hunt) EndedRecord() *pb.Record {
	r := h.record()
	r.Change = &pb.Record_Ended{Ended: h.Result()}
	r.Digest = h.Digest()
	return r
}

// OwnerChangedRecord is the record of a change of owner, right after
// [Hunt.ChangeOwner]: who owns the hunt now, and how many answered records are known
// to be lost.
func (h *Hunt) OwnerChangedRecord(owner string, missed uint64) *pb.Record {
	r := h.record()
	r.Change = &pb.Record_OwnerChanged{OwnerChanged: &pb.OwnerChanged{Owner: owner, Missed: missed}}
	r.Digest = h.Digest()
	return r
}

// Result is how the hunt stands: the best 100, and how many ever joined.
func (h *Hunt) Result() *pb.HuntEnded {
	return &pb.HuntEnded{Standings: h.Standings(standingsOfRecord), Players: uint32(h.Joined())}
}

// record is the place of the last record, still without what it holds.
func (h *Hunt) record() *pb.Record {
	return &pb.Record{HuntId: h.id, Epoch: h.epoch, Sequence: h.sequence, AtMs: h.lastAt}
}
