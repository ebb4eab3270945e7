package tally

import pb "treasurehunt.example/go-compat/gen/playerstatev1"

// checkScore holds a player's score, added up from records, against what the
// player was answered. Only a whole hunt can be held to it: else records that
// are still to come may explain the difference. An answer to a late record is of
// a time that is over.
func (p *Page) checkScore(hunt *Hunt, sequence, playerID uint64, outcome *pb.Outcome) error {
	if !hunt.Whole() || sequence != hunt.High || hunt.Disagrees || hunt.Forks > 0 {
		return nil
	}
	seat, err := p.book.Seat(hunt.ID, playerID)
	if err != nil {
		return err
	}
	if answered := outcome.GetPlayer().GetScore(); seat.Score != int64(answered) {
		p.disagree(hunt, "player %d was answered score %d at sequence %d; the records add up to %d", playerID, answered, sequence, seat.Score)
	}
	return nil
}

// checkEnd holds a hunt that is over and whole against its last record and
// against itself: scores only move, so they add up to what was dug up.
func (p *Page) checkEnd(hunt *Hunt) error {
	if hunt.Final == nil || !hunt.Whole() || hunt.Disagrees || hunt.Forks > 0 {
		return nil
	}
	if hunt.Scores != int64(hunt.Dug) {
		p.disagree(hunt, "the scores add up to %d, what was dug up to %d", hunt.Scores, hunt.Dug)
		return nil
	}
	if hunt.Final.Sequence != hunt.Played {
		p.disagree(hunt, "it ended with record %d, and there is a record %d", hunt.Final.Sequence, hunt.Played)
		return nil
	}
	if uint64(hunt.Final.Players) != hunt.Players {
		p.disagree(hunt, "its end says that %d players joined; the records say %d", hunt.Final.Players, hunt.Players)
		return nil
	}
	for _, standing := range hunt.Final.Standings {
		seat, err := p.book.Seat(hunt.ID, standing.Player)
		if err != nil {
			return err
		}
		if seat.Score != int64(standing.Score) {
			p.disagree(hunt, "its end gives player %d a score of %d; the records add up to %d", standing.Player, standing.Score, seat.Score)
			return nil
		}
	}
	return nil
}

func (p *Page) disagree(hunt *Hunt, format string, args ...any) {
	hunt.Disagrees = true
	p.alarm(Disagreement, hunt.ID, hunt.High, format, args...)
}
