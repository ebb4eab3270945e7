package tally

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Book holds the rows that records are counted into. What is asked for may be
// changed, and is kept when the book's transaction is. A row that is not there
// yet is a new one. The same row asked for twice is the same pointer.
type Book interface {
	Hunt(id string) (*Hunt, error)
	Seat(hunt string, player uint64) (*Seat, error)
	Player(id uint64) (*Player, error)
	// PowerUp adds to how often a player picked up and used a power-up.
	PowerUp(player uint64, name string, picked, used uint64)
}

// Page is one answer of a feed, and what became of it. Not safe for concurrent use.
type Page struct {
	Feed    string
	Records uint64 // counted
	// Duplicates were counted before.
	Duplicates uint64
	// Missing is by how much the records that are missing, and waited for, became
	// more or less.
	Missing int64
	Alarms  []Alarm
	// NewestMs is the highest stamp in it, Unix milliseconds; 0: it is empty.
	NewestMs int64

	book Book
}

// HoleMax is the longest hole that is believed. A hunt that wrote without pause for
// its longest time has fewer records.
const HoleMax = 1 << 32

// Count counts an answer of a feed into a book. Its error is the book's.
func Count(book Book, feed string, answer *pb.ReadRecordsResponse) (*Page, error) {
	p := &Page{Feed: feed, book: book}
	if answer.GetGap() {
		p.alarm(FeedGap, "", 0, "records before these were dropped, or this is another feed than the one read before")
	}
	for _, record := range answer.GetRecords() {
		p.NewestMs = max(p.NewestMs, record.GetAtMs())
		if failure := playerstate.CheckHuntID(record.GetHuntId()); failure != nil {
			p.alarm(Malformed, "", record.GetSequence(), "a record without a hunt: %s", failure.GRPCStatus().Message())
			continue
		}
		if err := p.count(record); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Page) count(record *pb.Record) error {
	hunt, err := p.book.Hunt(record.GetHuntId())
	if err != nil {
		return err
	}
	if sequence := record.GetSequence(); sequence == 0 || sequence > hunt.High+HoleMax {
		p.alarm(Malformed, hunt.ID, sequence, "a record at sequence %d after %d: it is not counted", sequence, hunt.High)
		return nil
	}
	if !p.checkEpoch(hunt, record) || !p.place(hunt, record.GetSequence()) {
		return nil
	}
	hunt.Records++
	p.Records++
	if record.GetOwnerChanged() == nil {
		hunt.Played = max(hunt.Played, record.GetSequence())
	}
	switch change := record.GetChange().(type) {
	case *pb.Record_Created:
		hunt.StartsAtMs = record.GetAtMs()
		if name := change.Created.GetSettings().GetRuleset(); keepable(name) {
			hunt.Ruleset = name
		} else {
			p.alarm(Malformed, hunt.ID, record.GetSequence(), "a ruleset whose name is %.64q", name)
		}
	case *pb.Record_Applied:
		if err := p.applied(hunt, record, change.Applied); err != nil {
			return err
		}
	case *pb.Record_Ended:
		hunt.EndedAtMs, hunt.Final = record.GetAtMs(), newFinal(record.GetSequence(), change.Ended)
	case *pb.Record_OwnerChanged: // its epoch was looked at
	case nil:
		p.alarm(Malformed, hunt.ID, record.GetSequence(), "a record without a change that this build knows")
	}
	return p.checkEnd(hunt)
}

// place finds a record's place among those counted, and tells whether it is new.
func (p *Page) place(hunt *Hunt, sequence uint64) bool {
	waiting, givenUp := hunt.Waiting(), hunt.GivenUp
	arrival := hunt.Add(sequence)
	switch arrival {
	case Next, Late:
	case Ahead:
		hole := hunt.Missing[len(hunt.Missing)-1]
		hunt.Holes++
		p.alarm(Hole, hunt.ID, sequence, "records %d to %d did not arrive", hole.First, hole.Last)
	case Duplicate:
		hunt.Duplicates++
		p.Duplicates++
	}
	if hunt.GivenUp > givenUp {
		p.alarm(GivenUp, hunt.ID, sequence, "over %d holes: %d records are not waited for any more", RangesMax, hunt.GivenUp-givenUp)
	}
	p.Missing += int64(hunt.Waiting() - waiting)
	return arrival != Duplicate
}

// checkEpoch tells whether a record may be counted. Epochs only grow along the
// sequences: a record that would have it otherwise shows that two owners wrote
// to the same place, of whom the higher epoch is right.
func (p *Page) checkEpoch(hunt *Hunt, record *pb.Record) bool {
	epoch, sequence := record.GetEpoch(), record.GetSequence()
	switch {
	case epoch > hunt.Epoch:
		if sequence <= hunt.High {
			p.fork(hunt, sequence, "epoch %d voids what epoch %d wrote from sequence %d to %d, which was counted", epoch, hunt.Epoch, sequence, hunt.High)
		}
		hunt.Epoch, hunt.EpochFirst = epoch, sequence
	case epoch == hunt.Epoch && sequence < hunt.EpochFirst:
		if hunt.Counted(sequence) {
			p.fork(hunt, sequence, "epoch %d voids what a lower epoch wrote at sequence %d, which was counted", epoch, sequence)
		}
		hunt.EpochFirst = sequence
	case epoch < hunt.Epoch && sequence >= hunt.EpochFirst:
		p.fork(hunt, sequence, "a record of epoch %d at sequence %d, which epoch %d voided: it is not counted", epoch, sequence, hunt.Epoch)
		return false
	}
	return true
}

func (p *Page) fork(hunt *Hunt, sequence uint64, format string, args ...any) {
	hunt.Forks++
	p.alarm(Fork, hunt.ID, sequence, format, args...)
}

func newFinal(sequence uint64, ended *pb.HuntEnded) *Final {
	final := &Final{Players: ended.GetPlayers(), Sequence: sequence}
	for _, standing := range ended.GetStandings() {
		final.Standings = append(final.Standings, Standing{Player: standing.GetPlayerId(), Score: standing.GetScore()})
	}
	return final
}
