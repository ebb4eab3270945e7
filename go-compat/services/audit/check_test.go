package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// history is what happened: commands in the order of their hunt.
type history struct {
	hunts   []string
	applied map[string][]command // by hunt; the place is the sequence, from 2
}

type command struct {
	player, request uint64
	join            bool
	worth           uint64
}

func newHistory(random *rand.Rand) *history {
	h := &history{applied: make(map[string][]command)}
	request := uint64(0)
	for n := range 3 {
		hunt := fmt.Sprintf("hunt-%d", n)
		h.hunts = append(h.hunts, hunt)
		for player := uint64(1); player <= 5; player++ {
			request++
			h.applied[hunt] = append(h.applied[hunt], command{player: player, request: request, join: true})
		}
		for range 50 {
			request++
			h.applied[hunt] = append(h.applied[hunt], command{
				player: 1 + random.Uint64N(5), request: request, worth: 10 * random.Uint64N(3),
			})
		}
	}
	return h
}

// report is what players who were answered all of it would say.
func (h *history) report() *Report {
	report := &Report{}
	for _, id := range h.hunts {
		hunt := Hunt{ID: id}
		for player := uint64(1); player <= 5; player++ {
			p := Player{ID: player, Final: true}
			for i, cmd := range h.applied[id] {
				if cmd.player != player {
					continue
				}
				p.Version++
				p.Score += cmd.worth
				if !cmd.join {
					p.Answered++
					p.Marks += Mark(cmd.request, uint64(2+i))
				}
			}
			hunt.Players = append(hunt.Players, p)
		}
		report.Hunts = append(report.Hunts, hunt)
	}
	return report
}

// counted is a view of an aggregator that counted all of it, once.
type counted map[string]*Counted

func (c counted) Hunt(_ context.Context, id string) (*Counted, error) { return c[id], nil }

func (h *history) counted() counted {
	view := make(counted)
	for _, id := range h.hunts {
		view[id] = &Counted{Ended: true, AddsUp: true}
		for player := uint64(1); player <= 5; player++ {
			view[id].Players = append(view[id].Players, CountedPlayer{ID: player})
		}
		for i, cmd := range h.applied[id] {
			view.add(id, cmd, uint64(2+i))
		}
	}
	return view
}

func (c counted) add(hunt string, cmd command, sequence uint64) {
	player := &c[hunt].Players[cmd.player-1]
	player.Applied++
	player.Score += int64(cmd.worth)
	c[hunt].WorthDug += cmd.worth
	c[hunt].ScoreTotal += int64(cmd.worth)
	if cmd.join {
		player.Joins++
		return
	}
	player.Marks += Mark(cmd.request, sequence)
}

func (c counted) remove(hunt string, cmd command, sequence uint64) {
	player := &c[hunt].Players[cmd.player-1]
	player.Applied--
	player.Score -= int64(cmd.worth)
	c[hunt].WorthDug -= cmd.worth
	c[hunt].ScoreTotal -= int64(cmd.worth)
	if cmd.join {
		player.Joins--
		return
	}
	player.Marks -= Mark(cmd.request, sequence)
}

// check audits a doctored view of a history against its true report.
func check(t *testing.T, doctor func(random *rand.Rand, h *history, view counted, report *Report)) *Result {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	h := newHistory(random)
	view, report := h.counted(), h.report()
	doctor(random, h, view, report)
	result, err := Check(t.Context(), view, report)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	return result
}

// pick chooses one command that is no Join, and its sequence.
func pick(random *rand.Rand, h *history, hunt string) (command, uint64) {
	i := 5 + random.IntN(50)
	return h.applied[hunt][i], uint64(2 + i)
}

func TestATrueHistoryIsClean(t *testing.T) {
	result := check(t, func(*rand.Rand, *history, counted, *Report) {})
	if !result.Clean() || result.Answered != 150 || result.Hunts != 3 || result.Players != 15 || len(result.Differences) != 0 {
		t.Errorf("%+v", result)
	}
	if text := result.String(); !strings.Contains(text, "audit: CLEAN") || !strings.Contains(text, "lost 0, doubled 0") {
		t.Error(text)
	}
}

// Each way in which a history can be doctored is seen, and as what it is.
func TestADoctoredHistoryIsNotClean(t *testing.T) {
	const hunt = "hunt-1"
	for name, test := range map[string]struct {
		doctor func(random *rand.Rand, h *history, view counted, report *Report)
		found  func(*Result) uint64
	}{
		"a command lost": {
			func(random *rand.Rand, h *history, view counted, _ *Report) {
				cmd, sequence := pick(random, h, hunt)
				view.remove(hunt, cmd, sequence)
			}, func(r *Result) uint64 { return r.Lost },
		},
		"a Join lost": {
			func(_ *rand.Rand, h *history, view counted, _ *Report) { view.remove(hunt, h.applied[hunt][0], 2) },
			func(r *Result) uint64 { return r.Lost },
		},
		"a command doubled": {
			func(random *rand.Rand, h *history, view counted, _ *Report) {
				cmd, sequence := pick(random, h, hunt)
				view.add(hunt, cmd, sequence)
			}, func(r *Result) uint64 { return r.Doubled },
		},
		"a Join doubled": {
			func(_ *rand.Rand, h *history, view counted, _ *Report) { view.add(hunt, h.applied[hunt][0], 2) },
			func(r *Result) uint64 { return r.Doubled },
		},
		"one lost and another doubled": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) {
				view[hunt].Players[2].Marks += Mark(1, 2) - Mark(1, 3)
			}, func(r *Result) uint64 { return r.Altered },
		},
		"two commands reordered": {
			func(_ *rand.Rand, h *history, view counted, _ *Report) {
				for i, at := range []uint64{8, 7} { // they stand at 7 and 8
					cmd := h.applied[hunt][5+i]
					view.remove(hunt, cmd, uint64(7+i))
					view.add(hunt, cmd, at)
				}
			}, func(r *Result) uint64 { return r.Altered },
		},
		"a command given to another player": {
			func(random *rand.Rand, h *history, view counted, _ *Report) {
				cmd, sequence := pick(random, h, hunt)
				view.remove(hunt, cmd, sequence)
				cmd.player = cmd.player%5 + 1
				view.add(hunt, cmd, sequence)
			}, func(r *Result) uint64 { return min(r.Lost, r.Doubled) },
		},
		"a score": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) {
				view[hunt].Players[0].Score += 10
				view[hunt].Players[1].Score -= 10
			}, func(r *Result) uint64 { return r.ScoreMismatches },
		},
		"scores that are not what was dug up": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].ScoreTotal++ },
			func(r *Result) uint64 { return r.ScoreMismatches },
		},
		"the aggregator's own doubt": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].AddsUp = false },
			func(r *Result) uint64 { return r.ScoreMismatches },
		},
		"a hunt missing": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { delete(view, hunt) },
			func(r *Result) uint64 { return min(r.Uncounted, r.Lost/50) },
		},
		"a player missing": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].Players = view[hunt].Players[1:] },
			func(r *Result) uint64 { return r.Lost },
		},
		"an end not counted": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].Ended = false },
			func(r *Result) uint64 { return r.Unended },
		},
		"a hole": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].Missing = 2 },
			func(r *Result) uint64 { return r.Gaps },
		},
		"a hole given up": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].GivenUp = 2 },
			func(r *Result) uint64 { return r.Gaps },
		},
		"a fork": {
			func(_ *rand.Rand, _ *history, view counted, _ *Report) { view[hunt].Forks = 1 },
			func(r *Result) uint64 { return r.Forks },
		},
		"an answer that the player forgot": {
			func(_ *rand.Rand, _ *history, _ counted, report *Report) {
				report.Hunts[1].Players[3].Answered--
			}, func(r *Result) uint64 { return r.Doubled },
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := check(t, test.doctor)
			if result.Clean() || test.found(result) == 0 {
				t.Errorf("it passed: %+v", result)
			}
			if len(result.Differences) == 0 || result.Differences[0].Hunt != hunt {
				t.Errorf("the hunt is not named: %v", result.Differences)
			}
		})
	}
}

func TestWhatWasNeverAnsweredMayHaveBeenAppliedOrNot(t *testing.T) {
	for applied := range 3 {
		result := check(t, func(_ *rand.Rand, _ *history, view counted, report *Report) {
			report.Hunts[0].Players[0].Unheard, report.Hunts[0].Players[0].Final, report.Unheard = 1, false, 1
			for i := range applied {
				view.add("hunt-0", command{player: 1, request: 1000 + uint64(i)}, 100+uint64(i))
			}
		})
		if tooMany := applied == 2; result.Clean() == tooMany || (result.Doubled == 1) != tooMany {
			t.Errorf("%d of one unheard command applied: %+v", applied, result)
		}
	}
}

func TestAPlayerWhoLeftEarlyIsNotHeldToTheEnd(t *testing.T) {
	result := check(t, func(_ *rand.Rand, _ *history, view counted, report *Report) {
		report.Hunts[0].Players[0].Final = false
		view["hunt-0"].Players[0].Score -= 10 // stolen after the last answer
		view["hunt-0"].Players[1].Score += 10
		report.Hunts[0].Players[1].Score += 10
	})
	if !result.Clean() || result.Unfinished != 1 {
		t.Errorf("%+v", result)
	}
}

func TestAReportOfNothingIsNotClean(t *testing.T) {
	for _, report := range []*Report{{}, {Hunts: []Hunt{{ID: "hunt-0"}}}} {
		result, err := Check(t.Context(), counted{"hunt-0": {Ended: true, AddsUp: true}}, report)
		if err != nil || result.Clean() || !strings.Contains(result.String(), "nothing was answered") {
			t.Errorf("%v, %v", result, err)
		}
	}
}

func TestManyDifferencesAreAllCountedAndTheFirstSpelledOut(t *testing.T) {
	report := &Report{}
	for n := range 100 {
		report.Hunts = append(report.Hunts, Hunt{ID: fmt.Sprintf("hunt-%d", n), Players: []Player{{ID: 7, Answered: 1}}})
	}
	result, err := Check(t.Context(), counted{}, report)
	if err != nil || result.Lost != 100 || result.Uncounted != 100 || len(result.Differences) != differencesMax {
		t.Fatalf("%+v, %v", result, err)
	}
	if text := result.String(); !strings.Contains(text, "hunt hunt-0, player 7: expected 1 commands, counted 0 commands") || !strings.Contains(text, "and 180 more") {
		t.Error(text)
	}
}

type awayView struct{}

func (awayView) Hunt(context.Context, string) (*Counted, error) { return nil, errors.New("away") }

func TestAnAggregatorThatCannotBeAskedIsAnErrorNotALoss(t *testing.T) {
	result, err := Check(t.Context(), awayView{}, &Report{Hunts: []Hunt{{ID: "hunt-0"}}})
	if err == nil || result != nil {
		t.Errorf("%v, %v", result, err)
	}
}
