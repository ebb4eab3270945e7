package audit

import (
	"context"
	"fmt"
)

// Check holds a report against what was counted, hunt by hunt. Differences are in
// the result; an error says that the view could not be asked.
func Check(ctx context.Context, view View, report *Report) (*Result, error) {
	result := &Result{Unheard: report.Unheard}
	for _, hunt := range report.Hunts {
		counted, err := view.Hunt(ctx, hunt.ID)
		if err != nil {
			return nil, fmt.Errorf("hunt %s: %w", hunt.ID, err)
		}
		result.hunt(hunt, counted)
	}
	return result, nil
}

func (r *Result) hunt(hunt Hunt, counted *Counted) {
	r.Hunts++
	if counted == nil {
		r.differ(&r.Uncounted, 1, hunt.ID, 0, "a hunt", "nothing of it")
		counted = &Counted{Ended: true, AddsUp: true} // so that what is told next is what each player lost
	}
	r.whole(hunt, counted)
	players := make(map[uint64]CountedPlayer, len(counted.Players))
	for _, player := range counted.Players {
		players[player.ID] = player
	}
	for _, player := range hunt.Players {
		r.player(hunt.ID, player, players[player.ID])
	}
}

// whole looks at a hunt as such, whoever played it.
func (r *Result) whole(hunt Hunt, counted *Counted) {
	if missing := counted.Missing + counted.GivenUp; missing > 0 {
		r.differ(&r.Gaps, 1, hunt.ID, 0, "every sequence", fmt.Sprintf("%d of them never", missing))
	}
	if counted.Forks > 0 {
		r.differ(&r.Forks, 1, hunt.ID, 0, "one owner at a time", fmt.Sprintf("%d records that two owners wrote", counted.Forks))
	}
	if counted.ScoreTotal != int64(counted.WorthDug) {
		r.differ(&r.ScoreMismatches, 1, hunt.ID, 0,
			fmt.Sprintf("scores of %d together, which was dug up", counted.WorthDug), fmt.Sprintf("%d", counted.ScoreTotal))
	} else if !counted.AddsUp {
		r.differ(&r.ScoreMismatches, 1, hunt.ID, 0, "scores as the hunt's records say", "others (see the aggregator's alarms)")
	}
	if !counted.Ended && sawEnd(hunt) {
		r.differ(&r.Unended, 1, hunt.ID, 0, "the hunt's end", "a hunt that goes on")
	}
}

func sawEnd(hunt Hunt) bool {
	for _, player := range hunt.Players {
		if player.Final {
			return true
		}
	}
	return false
}

// player compares one player of one hunt. What was asked and never answered may
// have been applied or not: it widens what is right.
func (r *Result) player(hunt string, player Player, counted CountedPlayer) {
	r.Players++
	r.Answered += player.Answered
	unheard := uint64(player.Unheard)
	switch commands := counted.Applied - counted.Joins; {
	case commands < player.Answered:
		r.differ(&r.Lost, player.Answered-commands, hunt, player.ID, commandsText(player.Answered), commandsText(commands))
	case commands > player.Answered+unheard:
		r.differ(&r.Doubled, commands-player.Answered-unheard, hunt, player.ID, commandsText(player.Answered), commandsText(commands))
	case commands > player.Answered:
		r.Unverified++ // which of them is the unheard one cannot be told
	case counted.Marks != player.Marks:
		r.differ(&r.Altered, 1, hunt, player.ID,
			fmt.Sprintf("%s of mark %016x", commandsText(player.Answered), player.Marks), fmt.Sprintf("as many, of mark %016x", counted.Marks))
	}
	if player.Final {
		r.atEnd(hunt, player, counted)
		return
	}
	r.Unfinished++
}

// atEnd compares what is exact only once nothing can come any more. The version
// counts the Joins too, which others may have sent.
func (r *Result) atEnd(hunt string, player Player, counted CountedPlayer) {
	joins := uint64(player.Version) - min(player.Answered, uint64(player.Version))
	switch {
	case player.Unheard > 0: // the version may count what was never answered
	case counted.Joins < joins:
		r.differ(&r.Lost, joins-counted.Joins, hunt, player.ID, fmt.Sprintf("%d Joins", joins), fmt.Sprintf("%d Joins", counted.Joins))
	case counted.Joins > joins:
		r.differ(&r.Doubled, counted.Joins-joins, hunt, player.ID, fmt.Sprintf("%d Joins", joins), fmt.Sprintf("%d Joins", counted.Joins))
	}
	if counted.Score != int64(player.Score) {
		r.differ(&r.ScoreMismatches, 1, hunt, player.ID, fmt.Sprintf("score %d", player.Score), fmt.Sprintf("score %d", counted.Score))
	}
}

func commandsText(n uint64) string { return fmt.Sprintf("%d commands", n) }
