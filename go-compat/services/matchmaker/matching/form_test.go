package matching

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func drawRules(t *rapid.T) Rules {
	r := Rules{
		WindowInitial:    rapid.IntRange(0, 300).Draw(t, "window initial"),
		WindowGrowth:     rapid.IntRange(0, 100).Draw(t, "window growth"),
		RegionRelaxAfter: time.Duration(rapid.IntRange(0, 30).Draw(t, "region relaxes after")) * time.Second,
		PlayersMin:       rapid.IntRange(1, 6).Draw(t, "players min"),
		PartyMax:         rapid.IntRange(1, 5).Draw(t, "party max"),
		WaitMax:          time.Duration(rapid.IntRange(0, 30).Draw(t, "wait max")) * time.Second,
	}
	r.WindowMax = r.WindowInitial + rapid.IntRange(0, 1000).Draw(t, "window max")
	r.PlayersMax = r.PlayersMin + r.PartyMax - 1 + rapid.IntRange(0, 20).Draw(t, "players max")
	return r
}

func drawTickets(t *rapid.T, rules Rules) []Ticket {
	tickets := make([]Ticket, rapid.IntRange(0, 80).Draw(t, "tickets"))
	for i := range tickets {
		tickets[i] = Ticket{
			ID:      fmt.Sprintf("t%02d", i),
			Skill:   rapid.IntRange(0, 2000).Draw(t, "skill"),
			Region:  rapid.SampledFrom([]string{"eu", "us", "ap"}).Draw(t, "region"),
			Players: rapid.IntRange(1, rules.PartyMax).Draw(t, "party"),
			Since:   epoch.Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, "waited")) * time.Second),
		}
	}
	return tickets
}

// suits says that an anchor may have somebody in its hunt, room or no room.
func suits(rules Rules, anchor, other Ticket) bool {
	waited := epoch.Sub(anchor.Since)
	distance := max(anchor.Skill-other.Skill, other.Skill-anchor.Skill)
	return distance <= rules.Window(waited) && (anchor.Region == other.Region || waited >= rules.RegionRelaxAfter)
}

func older(a, b Ticket) bool {
	return a.Since.Before(b.Since) || a.Since.Equal(b.Since) && a.ID < b.ID
}

// left are the tickets that are in no group. It fails on a ticket in two groups,
// or one that is not as it was.
func left(t *rapid.T, tickets []Ticket, groups []Group) []Ticket {
	waiting := map[string]Ticket{}
	for _, ticket := range tickets {
		waiting[ticket.ID] = ticket
	}
	for _, group := range groups {
		for _, member := range group {
			if waiting[member.ID] != member {
				t.Fatalf("%+v is in two groups, or in one and changed", member)
			}
			delete(waiting, member.ID)
		}
	}
	var rest []Ticket
	for _, ticket := range tickets {
		if _, ok := waiting[ticket.ID]; ok {
			rest = append(rest, ticket)
		}
	}
	return rest
}

func TestEveryMemberSuitsItsHunt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tickets := drawTickets(t, rules)
		groups := Form(tickets, rules, epoch, len(tickets))
		left(t, tickets, groups)
		for _, group := range groups {
			if players := group.Players(); players < rules.PlayersMin || players > rules.PlayersMax {
				t.Fatalf("%d players, want %d to %d", players, rules.PlayersMin, rules.PlayersMax)
			}
			for _, member := range group[1:] {
				if !suits(rules, group[0], member) {
					t.Fatalf("%+v is with anchor %+v", member, group[0])
				}
			}
		}
	})
}

func TestAHuntStartsEarlyOnlyWhenItIsFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tickets := drawTickets(t, rules)
		for _, group := range Form(tickets, rules, epoch, len(tickets)) {
			overdue := epoch.Sub(group[0].Since) >= rules.WaitMax
			if room := rules.PlayersMax - group.Players(); !overdue && room >= rules.PartyMax {
				t.Fatalf("%+v started with room for %d more, and nobody was overdue", group, room)
			}
		}
	})
}

func TestAHuntStartsWhenTheNextPartyDoesNotFit(t *testing.T) {
	rules := Rules{PlayersMin: 2, PlayersMax: 4, PartyMax: 3, WaitMax: time.Hour}
	tickets := []Ticket{
		{ID: "a", Players: 2, Since: epoch}, {ID: "b", Players: 3, Since: epoch}, {ID: "c", Players: 1, Since: epoch},
	}
	groups := Form(tickets, rules, epoch, len(tickets))
	if len(groups) != 1 || groups[0].Players() != 3 || groups[0][1].ID != "c" {
		t.Fatalf("%v, want a with c: b does not fit beside a", groups)
	}
}

// Whoever is overdue plays, unless too few suitable players are left: so nobody
// waits for ever when there are enough of them.
func TestAnOverdueTicketStaysOnlyIfTooFewAreLeftForIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tickets := drawTickets(t, rules)
		rest := left(t, tickets, Form(tickets, rules, epoch, len(tickets)))
		for _, anchor := range rest {
			if epoch.Sub(anchor.Since) < rules.WaitMax {
				continue
			}
			players := 0
			for _, other := range rest {
				if suits(rules, anchor, other) {
					players += other.Players
				}
			}
			if players >= rules.PlayersMin {
				t.Fatalf("%+v waits on, with %d suitable players left", anchor, players)
			}
		}
	})
}

func TestOfTwoAlikeTheOlderGoesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tickets := drawTickets(t, rules)
		groups := Form(tickets, rules, epoch, len(tickets))
		for _, waiting := range left(t, tickets, groups) {
			for _, group := range groups {
				for _, member := range group[1:] {
					alike := member.Skill == waiting.Skill && member.Region == waiting.Region && member.Players == waiting.Players
					if alike && older(waiting, member) {
						t.Fatalf("%+v waits while the younger %+v plays", waiting, member)
					}
				}
			}
		}
	})
}

func TestTheOrderInWhichTicketsAreHeldDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tickets := drawTickets(t, rules)
		want := Form(tickets, rules, epoch, len(tickets))
		got := Form(rapid.Permutation(tickets).Draw(t, "shuffled"), rules, epoch, len(tickets))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestNoMoreGroupsAreFormedThanThereIsRoomFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		tickets := drawTickets(t, rules)
		all := Form(tickets, rules, epoch, len(tickets))
		most := rapid.IntRange(0, 5).Draw(t, "groups max")
		if got := Form(tickets, rules, epoch, most); fmt.Sprint(got) != fmt.Sprint(all[:min(most, len(all))]) {
			t.Fatalf("%v, want the first %d of %v", got, most, all)
		}
	})
}

// The story behind the anchor's window: somebody at the edge of a crowd that
// always finds enough players of its own.
func TestNobodyStarvesBesideABusyCrowd(t *testing.T) {
	rules := Rules{
		WindowInitial: 50, WindowGrowth: 10, WindowMax: 500, RegionRelaxAfter: time.Minute,
		PlayersMin: 2, PlayersMax: 4, PartyMax: 1, WaitMax: 10 * time.Second,
	}
	outlier := Ticket{ID: "outlier", Skill: 1400, Region: "eu", Players: 1, Since: epoch}
	pool := []Ticket{outlier}
	for second := range 60 {
		now := epoch.Add(time.Duration(second) * time.Second)
		for i := range 8 {
			pool = append(pool, Ticket{ID: fmt.Sprintf("%d-%d", second, i), Skill: 1000, Region: "eu", Players: 1, Since: now})
		}
		for _, group := range Form(pool, rules, now, len(pool)) {
			if slices.Contains(group, outlier) {
				return
			}
			pool = slices.DeleteFunc(pool, func(ticket Ticket) bool { return slices.Contains(group, ticket) })
		}
	}
	t.Fatal("the outlier waited for a minute, with a crowd in its window from the 35th second on")
}

func TestWindowsWidenUpToTheirLimit(t *testing.T) {
	rules := Rules{WindowInitial: 100, WindowGrowth: 25, WindowMax: 1000}
	for waited, want := range map[time.Duration]int{
		-time.Second: 100, 0: 100, 2 * time.Second: 150, 36 * time.Second: 1000, time.Hour: 1000, 1 << 62: 1000,
	} {
		if got := rules.Window(waited); got != want {
			t.Errorf("after %s: %d, want %d", waited, got, want)
		}
	}
}

func TestRulesThatCouldHoldAPartyUpForEverAreRefused(t *testing.T) {
	if (Rules{PlayersMin: 2, PlayersMax: 5, PartyMax: 5}).Check() == nil {
		t.Error("2 to 5 players with parties of 5: a hunt of 1 and a party of 5 never start")
	}
	if err := (Rules{PlayersMin: 2, PlayersMax: 6, PartyMax: 5}).Check(); err != nil {
		t.Error(err)
	}
	if (Rules{WindowInitial: 2, WindowMax: 1, PlayersMax: 1}).Check() == nil {
		t.Error("windows that shrink were taken")
	}
}

func BenchmarkFormTenThousand(b *testing.B) {
	rules := Rules{
		WindowInitial: 100, WindowGrowth: 25, WindowMax: 1000, RegionRelaxAfter: 20 * time.Second,
		PlayersMin: 2, PlayersMax: 25, PartyMax: 5, WaitMax: 10 * time.Second,
	}
	tickets := make([]Ticket, 10_000)
	for i := range tickets {
		tickets[i] = Ticket{
			ID: fmt.Sprint(i), Skill: i * 7919 % 5000, Region: []string{"eu", "us"}[i%2], Players: 1 + i%5,
			Since: epoch.Add(-time.Duration(i) * time.Millisecond),
		}
	}
	for b.Loop() {
		Form(tickets, rules, epoch, len(tickets))
	}
}
