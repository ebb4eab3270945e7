// Package huntgen makes hunts that meet every rule: crowded, short of room and
// time, played by players who half know what they do. A hunt is a replay file,
// which both engines run; the same seed makes the same hunt.
package huntgen

import (
	"fmt"
	"math/rand/v2"
	"slices"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/rulesets"
)

// Apply takes a command at a stamp to its outcome. The generator plays against
// one of the engines, so that its players have something to act on.
type Apply func(atMs int64, cmd *pb.Command) *pb.Outcome

// Begin sets a hunt up from its first record, and shows how it begins.
type Begin func(created *pb.Record) (*pb.HuntSnapshot, Apply, error)

const startsAtMs = 1_700_000_000_000

// Generate makes the replay file of a hunt with so many commands.
func Generate(seed uint64, commands int, begin Begin) ([]*pb.Record, error) {
	random := rand.New(rand.NewPCG(seed, 0x6875_6e74))
	g := &generator{random: random, id: fmt.Sprintf("gen-%d", seed), now: startsAtMs, players: make(map[uint64]*player)}
	created := g.created()
	start, apply, err := begin(created)
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", seed, err)
	}
	g.look(start)
	records := []*pb.Record{created}
	for range commands {
		g.pass()
		cmd := g.command()
		records = append(records, &pb.Record{
			HuntId: g.id, AtMs: g.now,
			Change: &pb.Record_Applied{Applied: &pb.Applied{Command: cmd}},
		})
		g.learn(cmd, apply(g.now, cmd))
	}
	return records, nil
}

type generator struct {
	random   *rand.Rand
	id       string
	now      int64
	endsAt   int64
	over     bool // time has passed endsAt, and never falls
	width    int
	height   int
	powerUps []string
	request  uint64
	players  map[uint64]*player
	ids      []uint64
	hoarding bool            // nobody uses what they hold, so that inventories fill
	left     map[[2]int]bool // where something is still thought to lie; true for a treasure
}

// player is what the generator believes of a player; the engines may know better.
type player struct {
	x, y    int
	version uint32
	present bool
	held    []string
	asked   []uint64 // request ids applied, the newest last
}

func (g *generator) created() *pb.Record {
	r := g.random
	g.width, g.height = 1+r.IntN(20), 1+r.IntN(20)
	cells := g.width * g.height
	g.hoarding = r.IntN(5) == 0
	ruleset, name := rulesets.Classic(), "classic"
	switch {
	case g.hoarding:
		ruleset, name = randomRuleset(r, 1+r.IntN(2)), "random"
	case r.IntN(2) == 0:
		ruleset, name = randomRuleset(r, 1+r.IntN(16)), "random"
	}
	g.powerUps = names(ruleset)
	joined := 2 + r.IntN(10)
	for i := range joined {
		// Ids at the edges of the number range as well as small ones.
		g.ids = append(g.ids, []uint64{uint64(1 + i), ^uint64(0) - uint64(i), 1<<63 + uint64(i)}[r.IntN(3)])
	}
	slices.Sort(g.ids)
	g.ids = slices.Compact(g.ids)
	settings := &pb.HuntSettings{
		Seed: r.Uint64(), Width: uint32(g.width), Height: uint32(g.height),
		Treasures: uint32(r.IntN(cells/2 + 1)), Caches: uint32(cells/2 - r.IntN(cells/8+1)),
		MaxPlayers: uint32(len(g.ids)), DurationMs: 10_000_000, Ruleset: name,
	}
	// A few hunts are short of room, and a few of time.
	switch r.IntN(8) {
	case 0:
		settings.MaxPlayers = uint32(1 + r.IntN(len(g.ids)))
	case 1:
		settings.DurationMs = uint64(1 + r.IntN(200_000))
	}
	g.endsAt = startsAtMs + int64(settings.GetDurationMs())
	return &pb.Record{
		HuntId: g.id, Epoch: 1, AtMs: startsAtMs,
		Change: &pb.Record_Created{Created: &pb.HuntCreated{Settings: settings, RulesVersion: 1, Ruleset: ruleset}},
	}
}

// pass lets time go on: mostly a little, now and then to the edge of what is on.
func (g *generator) pass() {
	switch g.random.IntN(20) {
	case 0:
		g.now += int64(g.random.IntN(10_000))
	case 1, 2, 3:
		g.now += []int64{1, 999, 1000, 1999, 2000, 3000, 4999, 5000}[g.random.IntN(8)]
	case 4, 5, 6, 7:
	default:
		g.now += int64(g.random.IntN(150))
	}
	// A hunt that is over answers nothing but HUNT_ENDED: seldom worth going on to.
	if g.now >= g.endsAt && !g.over {
		g.over = g.random.IntN(40) == 0
		if !g.over {
			g.now = g.endsAt - 1
		}
	}
}

func (g *generator) command() *pb.Command {
	id := g.ids[g.random.IntN(len(g.ids))]
	p := g.players[id]
	if p == nil {
		p = &player{}
		g.players[id] = p
	}
	g.request++
	cmd := &pb.Command{HuntId: g.id, PlayerId: id, RequestId: g.request}
	g.act(cmd, p)
	g.spoil(cmd, p)
	return cmd
}

// look notes where everything lies.
func (g *generator) look(start *pb.HuntSnapshot) {
	g.left = make(map[[2]int]bool)
	for _, cache := range start.GetCaches() {
		g.left[[2]int{int(cache.GetX()), int(cache.GetY())}] = false
	}
	for _, treasure := range start.GetTreasures() {
		g.left[[2]int{int(treasure.GetX()), int(treasure.GetY())}] = true
	}
}

func (g *generator) act(cmd *pb.Command, p *player) {
	r := g.random
	if !p.present && r.IntN(6) != 0 {
		cmd.Action = &pb.Command_Join{Join: &pb.Join{}}
		return
	}
	treasure, here := g.left[[2]int{p.x, p.y}]
	switch n := r.IntN(100); {
	case n < 2:
		cmd.Action = &pb.Command_Leave{Leave: &pb.Leave{}}
	case n < 4:
		cmd.Action = &pb.Command_Join{Join: &pb.Join{}}
	case n < 6, n < 50 && len(p.held) > 0 && !g.hoarding:
		g.use(cmd, p)
	case n < 8, n < 90 && here && !treasure:
		cmd.Action = &pb.Command_PickUp{PickUp: &pb.PickUp{}}
	case n < 10, n < 90 && here:
		cmd.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
	default:
		g.move(cmd, p)
	}
}

// move mostly steps towards something left, and else anywhere.
func (g *generator) move(cmd *pb.Command, p *player) {
	r := g.random
	step := 1 + r.IntN(2)*r.IntN(4)
	x, y := p.x+r.IntN(2*step+1)-step, p.y+r.IntN(2*step+1)-step
	if goal, found := g.nearest(p); found && r.IntN(3) != 0 {
		x, y = p.x+min(max(goal[0]-p.x, -1), 1), p.y+min(max(goal[1]-p.y, -1), 1)
	}
	cmd.Action = &pb.Command_Move{Move: &pb.Move{X: uint32(max(x, 0)), Y: uint32(max(y, 0))}}
}

// nearest is something left, the closest by ascending cell.
func (g *generator) nearest(p *player) (goal [2]int, found bool) {
	closest := 0
	for at := range g.left {
		d := max(at[0]-p.x, p.x-at[0], at[1]-p.y, p.y-at[1])
		if !found || d < closest || d == closest && (at[1] < goal[1] || at[1] == goal[1] && at[0] < goal[0]) {
			goal, closest, found = at, d, true
		}
	}
	return goal, found
}

func (g *generator) use(cmd *pb.Command, p *player) {
	r := g.random
	use := &pb.UsePowerUp{PowerUp: g.powerUps[r.IntN(len(g.powerUps))]}
	if len(p.held) > 0 && r.IntN(8) != 0 {
		use.PowerUp = p.held[r.IntN(len(p.held))]
	}
	switch r.IntN(10) {
	case 0, 1, 2:
	case 3:
		use.TargetPlayerId = cmd.GetPlayerId()
	case 4:
		use.TargetPlayerId = 424242
	default:
		use.TargetPlayerId = g.ids[r.IntN(len(g.ids))]
	}
	if r.IntN(50) == 0 {
		use.PowerUp = "excalibur"
	}
	cmd.Action = &pb.Command_UsePowerUp{UsePowerUp: use}
}

// spoil makes a few commands stale, repeated or malformed.
func (g *generator) spoil(cmd *pb.Command, p *player) {
	r := g.random
	switch r.IntN(100) {
	case 0:
		cmd.ExpectedVersion = p.version + 1
	case 1, 2:
		cmd.ExpectedVersion = p.version
	case 3, 4:
		if len(p.asked) > 0 {
			cmd.RequestId = p.asked[r.IntN(len(p.asked))]
		}
	case 5:
		cmd.RequestId = 0
	case 6:
		cmd.PlayerId = 0
	case 7:
		cmd.HuntId += "\n"
	case 8:
		cmd.Action = nil
	case 9:
		cmd.Action = &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{}}
	case 10:
		cmd.Action = &pb.Command_Move{Move: &pb.Move{X: ^uint32(0), Y: ^uint32(0)}}
	}
}

// learn keeps the belief near the truth.
func (g *generator) learn(cmd *pb.Command, outcome *pb.Outcome) {
	for _, impact := range outcome.GetImpacts() {
		if touched := g.players[impact.GetPlayerId()]; touched != nil {
			touched.x, touched.y = int(impact.GetX()), int(impact.GetY())
		}
	}
	p := g.players[cmd.GetPlayerId()]
	if p == nil {
		return
	}
	if summary := outcome.GetPlayer(); summary != nil {
		p.x, p.y, p.version = int(summary.GetX()), int(summary.GetY()), summary.GetVersion()
	}
	here := [2]int{p.x, p.y}
	if outcome.GetRejection() == pb.Rejection_REJECTION_NOTHING_HERE {
		delete(g.left, here)
	}
	if outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		return
	}
	p.asked = append(p.asked, cmd.GetRequestId())
	switch action := cmd.GetAction().(type) {
	case *pb.Command_Join:
		p.present = true
	case *pb.Command_Leave:
		p.present = false
	case *pb.Command_PickUp:
		p.held = append(p.held, outcome.GetPickedUp())
		delete(g.left, here)
	case *pb.Command_Dig:
		for _, treasure := range outcome.GetTreasures() {
			delete(g.left, [2]int{int(treasure.GetX()), int(treasure.GetY())})
		}
	case *pb.Command_UsePowerUp:
		if i := slices.Index(p.held, action.UsePowerUp.GetPowerUp()); i >= 0 {
			p.held = slices.Delete(p.held, i, i+1)
		}
	}
}
