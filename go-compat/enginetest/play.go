package enginetest

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

const (
	playPlayers = 16 // all at once
	playRounds  = 24 // a move and a dig each
)

// answered is a command and its outcome.
type answered struct {
	cmd     *pb.Command
	outcome *pb.Outcome
}

// play has players walk about and dig in one hunt, all at once, each after the
// other's answer. Some ask twice. It gives what was answered, by player.
func (b *bench) play(hunt string) [][]answered {
	b.Helper()
	games := make([][]answered, playPlayers)
	var all sync.WaitGroup
	for i := range games {
		all.Go(func() { games[i] = b.playOne(hunt, uint64(i+1)) })
	}
	all.Wait()
	if b.Failed() {
		b.FailNow() // what follows would only say it again
	}
	return games
}

func (b *bench) playOne(hunt string, player uint64) (game []answered) {
	step := func(cmd *pb.Command) *pb.Outcome {
		outcome, err := b.engine.Apply(b.ctx(), cmd)
		if err != nil {
			b.Errorf("player %d: %v", player, err)
			return nil
		}
		game = append(game, answered{cmd, outcome})
		return outcome
	}
	at := step(b.join(hunt, player)).GetPlayer()
	right := true
	for round := range playRounds {
		if at.GetX() == 0 || at.GetX() == settings().GetWidth()-1 {
			right = at.GetX() == 0
		}
		to := at.GetX() + 1
		if !right {
			to = at.GetX() - 1
		}
		if moved := step(b.move(hunt, player, to, at.GetY())); moved.GetPlayer() != nil {
			at = moved.GetPlayer()
		}
		dug := b.dig(hunt, player)
		step(dug)
		if round%4 == 0 { // as a caller does who does not know
			step(again(dug))
		}
	}
	return game
}

func playAddsUp(b *bench) {
	hunt := b.hunt()
	games := b.play(hunt)
	scores := map[uint64]uint64{}
	for _, standing := range b.getHunt(hunt, playPlayers).GetTop() {
		scores[standing.GetPlayerId()] = standing.GetScore()
	}
	var found int
	places := map[uint64]bool{}
	for i, game := range games {
		player := uint64(i + 1)
		var version uint32
		var worth, last uint64
		for _, a := range game {
			if a.outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
				continue
			}
			version++
			if places[a.outcome.GetSequence()] || a.outcome.GetSequence() <= last {
				b.Errorf("player %d: sequence %d after %d, or given twice", player, a.outcome.GetSequence(), last)
			}
			last = a.outcome.GetSequence()
			places[last] = true
			for _, treasure := range a.outcome.GetTreasures() {
				found++
				worth += uint64(treasure.GetValue())
			}
		}
		b.wantOneAnswer(game)
		if scores[player] != worth {
			b.Errorf("player %d dug up %d, and has a score of %d", player, worth, scores[player])
		}
		if got := b.getPlayer(hunt, player).GetPlayer().GetVersion(); got != version {
			b.Errorf("player %d is at version %d; %d commands were answered APPLIED", player, got, version)
		}
	}
	if found == 0 {
		b.Errorf("nobody dug up anything in %d digs, though half of the cells have a treasure: nothing shown", playPlayers*playRounds)
	}
	if uint32(found) > settings().GetTreasures() {
		b.Errorf("%d treasures were dug up; there are %d", found, settings().GetTreasures())
	}
}

// wantOneAnswer wants a repeated request to be a DUPLICATE of what was applied, and
// what was not applied to be asked anew.
func (b *bench) wantOneAnswer(game []answered) {
	b.Helper()
	for i, a := range game {
		if i == 0 || a.cmd.GetRequestId() != game[i-1].cmd.GetRequestId() {
			continue
		}
		first := game[i-1].outcome
		if first.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
			continue
		}
		if a.outcome.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE || a.outcome.GetSequence() != first.GetSequence() {
			b.Errorf("request %d was applied at %d; asked again: %v", a.cmd.GetRequestId(), first.GetSequence(), a.outcome)
		}
	}
}

// asApplied is a command as a record holds it.
func asApplied(cmd *pb.Command) *pb.Command {
	kept := proto.CloneOf(cmd)
	kept.BudgetMs, kept.Epoch = 0, 0
	return kept
}

// applied are the commands of all players that were applied, by their sequence.
func applied(games [][]answered) []answered {
	var all []answered
	for _, game := range games {
		for _, a := range game {
			if a.outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
				all = append(all, a)
			}
		}
	}
	slices.SortFunc(all, func(a, b answered) int { return int(a.outcome.GetSequence()) - int(b.outcome.GetSequence()) })
	return all
}
