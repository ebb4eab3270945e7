package matching

import (
	"cmp"
	"slices"
	"time"
)

// Group is the tickets of one hunt, the anchor first.
type Group []Ticket

// Players is how many players the group has.
func (g Group) Players() int {
	players := 0
	for _, ticket := range g {
		players += ticket.Players
	}
	return players
}

// Form makes at most groupsMax groups out of tickets, as of now. Tickets that are
// in none go on waiting. The order of tickets does not matter.
func Form(tickets []Ticket, rules Rules, now time.Time, groupsMax int) []Group {
	p := newPool(tickets, rules, now)
	var groups []Group
	for anchor := range p.tickets {
		if len(groups) >= groupsMax {
			break
		}
		if p.taken[anchor] {
			continue
		}
		if members := p.gather(anchor); members != nil {
			groups = append(groups, p.take(members))
		}
	}
	return groups
}

// pool is the tickets of one call of Form. A ticket is known by its place in the
// order of age, so that the smaller of two numbers is the older ticket.
type pool struct {
	rules    Rules
	now      time.Time
	tickets  []Ticket // oldest first
	taken    []bool
	bySkill  []int            // all of them, by skill
	byRegion map[string][]int // by skill within a region
}

func newPool(tickets []Ticket, rules Rules, now time.Time) *pool {
	p := &pool{
		rules:    rules,
		now:      now,
		tickets:  slices.Clone(tickets),
		taken:    make([]bool, len(tickets)),
		bySkill:  make([]int, len(tickets)),
		byRegion: map[string][]int{},
	}
	slices.SortFunc(p.tickets, func(a, b Ticket) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	for i := range p.bySkill {
		p.bySkill[i] = i
	}
	slices.SortFunc(p.bySkill, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.tickets[a].Skill, p.tickets[b].Skill), cmp.Compare(a, b))
	})
	for _, i := range p.bySkill {
		region := p.tickets[i].Region
		p.byRegion[region] = append(p.byRegion[region], i)
	}
	return p
}

// gather fills a hunt around anchor, and gives its members if it may start.
func (p *pool) gather(anchor int) []int {
	waited := p.now.Sub(p.tickets[anchor].Since)
	window := p.rules.Window(waited)
	hunt := filling{members: []int{anchor}, players: p.tickets[anchor].Players, playersMax: p.rules.PlayersMax}

	region := p.tickets[anchor].Region
	p.fill(&hunt, p.byRegion[region], window, func(int) bool { return true })
	if waited >= p.rules.RegionRelaxAfter {
		p.fill(&hunt, p.bySkill, window, func(i int) bool { return p.tickets[i].Region != region })
	}
	if hunt.full() || waited >= p.rules.WaitMax && hunt.players >= p.rules.PlayersMin {
		return hunt.members
	}
	return nil
}

// fill adds who is free, in the window and welcome, oldest first.
func (p *pool) fill(hunt *filling, bySkill []int, window int, welcome func(int) bool) {
	anchor := hunt.members[0]
	skill := p.tickets[anchor].Skill
	first, _ := slices.BinarySearchFunc(bySkill, skill-window, func(i, least int) int {
		return cmp.Compare(p.tickets[i].Skill, least)
	})
	var candidates []int
	for _, i := range bySkill[first:] {
		if p.tickets[i].Skill > skill+window {
			break
		}
		if i != anchor && !p.taken[i] && welcome(i) {
			candidates = append(candidates, i)
		}
	}
	slices.Sort(candidates)
	for _, i := range candidates {
		if hunt.players == hunt.playersMax {
			return
		}
		hunt.add(i, p.tickets[i].Players)
	}
}

func (p *pool) take(members []int) Group {
	group := make(Group, len(members))
	for n, i := range members {
		p.taken[i] = true
		group[n] = p.tickets[i]
	}
	return group
}

// filling is a hunt that is being filled.
type filling struct {
	members    []int
	players    int
	playersMax int
	leftOut    bool // a party did not fit any more
}

func (f *filling) add(ticket, players int) {
	if f.players+players > f.playersMax {
		f.leftOut = true
		return
	}
	f.members = append(f.members, ticket)
	f.players += players
}

// full says that waiting would add nobody who is there now.
func (f *filling) full() bool { return f.players == f.playersMax || f.leftOut }
