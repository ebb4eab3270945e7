// Package huntgen makes hunts that meet every rule: crowded, short of room and
// time, played by players who half know what they do. A hunt is a replay file,
// which both engines run; the same numbers make the same hunt.
package huntgen

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/replay"
	"treasurehunt.example/go-compat/rulesets"
)

const startsAtMs = 1_700_000_000_000

// Generate makes the replay file of a hunt with so many commands.
func Generate(seed uint64, commands int) ([]*pb.Record, error) {
	g, err := New(seed)
	if err != nil {
		return nil, err
	}
	dice := rand.New(rand.NewPCG(seed, 0x6469_6365))
	for range commands {
		if _, _, err := g.Step(dice.Uint64()); err != nil {
			return nil, err
		}
	}
	return g.Records(), nil
}

// Generator makes a hunt step by step. It plays against the Go rules, so that its
// players have something to act on. It is not safe for concurrent use.
type Generator struct {
	random  *rand.Rand // of the step
	game    *replay.Game
	records []*pb.Record

	id       string
	settings *pb.HuntSettings
	now      int64
	endsAt   int64
	over     bool // time has passed endsAt, and never falls
	width    int
	height   int
	powerUps []powerUp
	request  uint64
	players  map[uint64]*player
	ids      []uint64
	hoarding bool            // nobody uses what they hold, so that inventories fill
	crowded  bool            // more are there than one power-up reaches
	left     map[[2]int]bool // where something is still thought to lie; true for a treasure
	endings  []ending        // of effects and cooldowns, those to come
}

// ending is when something that a player has runs out.
type ending struct {
	at     int64
	player uint64
}

// New sets a hunt up.
func New(seed uint64) (*Generator, error) {
	g := blank(seed)
	g.setUp()
	if g.random.IntN(8) == 0 { // a few hunts are short of time
		g.settings.DurationMs = uint64(1 + g.random.IntN(200_000))
	}
	if g.hoarding || g.crowded || g.random.IntN(3) == 0 {
		return g.begin("random", g.randomRuleset(brief))
	}
	return g.begin("classic", rulesets.Classic())
}

// NewTimeless sets a hunt up in which nothing runs out and no cooldown ends. What
// is applied and what is rejected is then the same at whatever time the commands
// come, so that such a hunt can be played on engines that read a clock. Its
// ruleset has the hunt's own name.
func NewTimeless(seed uint64) (*Generator, error) {
	g := blank(seed)
	g.setUp()
	return g.begin(g.id, g.randomRuleset(timeless))
}

// randomRuleset has few power-ups where they are hoarded, so that inventories fill,
// and in about half of the hunts, so that the same effects meet again and again. A
// crowd has one that reaches far around.
func (g *Generator) randomRuleset(lasts lasting) []byte {
	powerUps := 1 + g.random.IntN(maxPowerUps)
	if g.random.IntN(2) == 0 {
		powerUps = 1 + g.random.IntN(4)
	}
	switch {
	case g.hoarding:
		return randomRuleset(g.random, lasts, 1+powerUps%2)
	case g.crowded:
		return randomRuleset(g.random, lasts, powerUps%4, wideArea)
	}
	return randomRuleset(g.random, lasts, powerUps)
}

const maxPowerUps = 16

func blank(seed uint64) *Generator {
	return &Generator{
		random: rand.New(rand.NewPCG(seed, 0x6875_6e74)),
		id:     fmt.Sprintf("gen-%d", seed), now: startsAtMs, players: make(map[uint64]*player),
	}
}

// begin plays the first record.
func (g *Generator) begin(name string, ruleset []byte) (*Generator, error) {
	powerUps, err := powerUpsOf(ruleset)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.id, err)
	}
	g.powerUps = powerUps
	g.settings.Ruleset = name
	g.endsAt = startsAtMs + int64(g.settings.GetDurationMs())
	created := &pb.Record{
		HuntId: g.id, Epoch: 1, AtMs: startsAtMs,
		Change: &pb.Record_Created{Created: &pb.HuntCreated{Settings: g.settings, RulesVersion: 1, Ruleset: ruleset}},
	}
	game, _, err := replay.Open(created)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.id, err)
	}
	g.game, g.records = game, []*pb.Record{created}
	g.look(game.Hunt().Snapshot())
	return g, nil
}

// Step adds a command to the hunt, and tells what the Go rules make of it. What it
// does depends on the dice and on how the hunt stands, and on nothing else: a list
// of dice that lacks some is a hunt too, which is what shrinking needs.
func (g *Generator) Step(dice uint64) (*pb.Command, *pb.Outcome, error) {
	g.random = rand.New(rand.NewPCG(dice, 0x7374_6570))
	cmd := g.command(g.pass())
	g.records = append(g.records, &pb.Record{
		HuntId: g.id, AtMs: g.now,
		Change: &pb.Record_Applied{Applied: &pb.Applied{Command: cmd}},
	})
	outcome, err := g.game.Apply(g.now, cmd)
	if err != nil {
		return nil, nil, err
	}
	g.learn(cmd, outcome)
	return cmd, outcome, nil
}

// Records is the hunt so far: a replay file.
func (g *Generator) Records() []*pb.Record { return g.records }

// Game is the hunt as the Go rules have it now.
func (g *Generator) Game() *replay.Game { return g.game }

// NowMs is the stamp of the last command, in Unix milliseconds.
func (g *Generator) NowMs() int64 { return g.now }

// player is what the generator believes of a player; the engines may know better.
type player struct {
	x, y    int
	version uint32
	present bool
	held    []string
	asked   []uint64 // request ids applied, the newest last
}

func (p *player) distance(x, y int) int { return max(x-p.x, p.x-x, y-p.y, p.y-y) }

// setUp draws everything but the ruleset.
func (g *Generator) setUp() {
	r := g.random
	g.width, g.height = 1+r.IntN(20), 1+r.IntN(20)
	g.hoarding = r.IntN(5) == 0
	joined := 2 + r.IntN(10)
	if r.IntN(8) == 0 {
		g.crowded, g.hoarding = true, false
		g.width, g.height, joined = 5+r.IntN(3), 5+r.IntN(3), 70+r.IntN(20)
	}
	for i := range joined {
		// Ids at the edges of the number range as well as small ones.
		g.ids = append(g.ids, []uint64{uint64(1 + i), ^uint64(0) - uint64(i), 1<<63 + uint64(i)}[r.IntN(3)])
	}
	slices.Sort(g.ids)
	g.ids = slices.Compact(g.ids)
	rich := !g.crowded && r.IntN(8) == 0
	if rich { // more lies within a magnet's reach than one dig takes
		g.width, g.height = 16+r.IntN(10), 16+r.IntN(10)
	}
	cells := g.width * g.height
	treasures := r.IntN(cells/2 + 1)
	if rich {
		treasures = cells / 2
	}
	g.settings = &pb.HuntSettings{
		Seed: r.Uint64(), Width: uint32(g.width), Height: uint32(g.height),
		Treasures: uint32(treasures), Caches: uint32(cells/2 - r.IntN(cells/8+1)),
		MaxPlayers: uint32(len(g.ids)), DurationMs: 10_000_000,
	}
	// A few hunts are short of room.
	if r.IntN(8) == 0 && !g.crowded {
		g.settings.MaxPlayers = uint32(1 + r.IntN(len(g.ids)))
	}
}

// pass lets time go on: mostly a little, now and then to the very edge of what is
// on. It names the player who stands at that edge, or 0.
func (g *Generator) pass() (at uint64) {
	switch n := g.random.IntN(20); {
	case n == 0:
		g.now += []int64{1, 999, 1000, 2000, 5000, int64(g.random.IntN(10_000))}[g.random.IntN(6)]
	case n < 3:
		at = g.toAnEdge()
	case n < 10:
	default:
		g.now += int64(g.random.IntN(150))
	}
	// A hunt that is over answers nothing but HUNT_ENDED: seldom worth going on to.
	if g.now >= g.endsAt && !g.over {
		g.over = g.random.IntN(20) == 0
		switch {
		case !g.over:
			g.now = g.endsAt - 1
		case g.random.IntN(2) == 0:
			g.now = g.endsAt // the very edge
		}
	}
	return at
}

// toAnEdge goes on to just before, at or just after the next ending of somebody.
func (g *Generator) toAnEdge() uint64 {
	g.endings = slices.DeleteFunc(g.endings, func(e ending) bool { return e.at < g.now })
	if len(g.endings) == 0 {
		return 0
	}
	next := slices.MinFunc(g.endings, func(a, b ending) int { return cmp.Compare(a.at, b.at) })
	g.now = max(g.now, next.at+int64(g.random.IntN(3)-1))
	return next.player
}

func (g *Generator) command(at uint64) *pb.Command {
	id := g.ids[g.random.IntN(len(g.ids))]
	if g.crowded && len(g.players) < len(g.ids) && g.random.IntN(4) != 0 {
		id = g.ids[len(g.players)]
	}
	if at != 0 && g.random.IntN(4) != 0 {
		id = at
	}
	p := g.players[id]
	if p == nil {
		p = &player{}
		g.players[id] = p
	}
	g.request += 2 // in between are ids that nobody has used
	cmd := &pb.Command{HuntId: g.id, PlayerId: id, RequestId: g.request}
	g.act(cmd, p)
	g.spoil(cmd, p)
	return cmd
}

// look notes where everything lies.
func (g *Generator) look(start *pb.HuntSnapshot) {
	g.left = make(map[[2]int]bool)
	for _, cache := range start.GetCaches() {
		g.left[[2]int{int(cache.GetX()), int(cache.GetY())}] = false
	}
	for _, treasure := range start.GetTreasures() {
		g.left[[2]int{int(treasure.GetX()), int(treasure.GetY())}] = true
	}
}

func (g *Generator) act(cmd *pb.Command, p *player) {
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

// move mostly steps towards something left, and else anywhere, seldom off the map.
func (g *Generator) move(cmd *pb.Command, p *player) {
	r := g.random
	step := 1 + r.IntN(2)*r.IntN(4)
	x, y := p.x+r.IntN(2*step+1)-step, p.y+r.IntN(2*step+1)-step
	if goal, found := g.nearest(p); found && r.IntN(3) != 0 {
		x, y = p.x+min(max(goal[0]-p.x, -1), 1), p.y+min(max(goal[1]-p.y, -1), 1)
	}
	if r.IntN(20) != 0 {
		x, y = min(x, g.width-1), min(y, g.height-1)
	}
	cmd.Action = &pb.Command_Move{Move: &pb.Move{X: uint32(max(x, 0)), Y: uint32(max(y, 0))}}
}

// nearest is something left, the closest by ascending cell. A cache is worth a
// few steps more than a treasure: what it holds is what meets the rules.
func (g *Generator) nearest(p *player) (goal [2]int, found bool) {
	closest := 0
	for at, treasure := range g.left {
		d := p.distance(at[0], at[1])
		if treasure {
			d += 3
		}
		if !found || d < closest || d == closest && (at[1] < goal[1] || at[1] == goal[1] && at[0] < goal[0]) {
			goal, closest, found = at, d, true
		}
	}
	return goal, found
}

func (g *Generator) use(cmd *pb.Command, p *player) {
	r := g.random
	chosen := g.powerUps[r.IntN(len(g.powerUps))]
	if len(p.held) > 0 && r.IntN(8) != 0 {
		held := p.held[r.IntN(len(p.held))]
		chosen = g.powerUps[slices.IndexFunc(g.powerUps, func(p powerUp) bool { return p.Name == held })]
	}
	use := &pb.UsePowerUp{PowerUp: chosen.Name}
	if chosen.Target == "player" {
		use.TargetPlayerId = g.somebodyNear(p)
	}
	if r.IntN(8) == 0 {
		use.TargetPlayerId = []uint64{0, cmd.GetPlayerId(), 424242, g.ids[r.IntN(len(g.ids))]}[r.IntN(4)]
	}
	if r.IntN(50) == 0 {
		use.PowerUp = "excalibur"
	}
	cmd.Action = &pb.Command_UsePowerUp{UsePowerUp: use}
}

// somebodyNear is the nearer of two of the others.
func (g *Generator) somebodyNear(p *player) uint64 {
	var found uint64
	closest := 0
	for range 2 {
		id := g.ids[g.random.IntN(len(g.ids))]
		other := g.players[id]
		if other == nil || other == p || !other.present {
			continue
		}
		if d := p.distance(other.x, other.y); found == 0 || d < closest {
			found, closest = id, d
		}
	}
	return found
}

// spoil makes a few commands stale, repeated or malformed.
func (g *Generator) spoil(cmd *pb.Command, p *player) {
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
	case 5, 6: // an id that came late, within the window or behind it
		cmd.RequestId -= min(cmd.RequestId-1, uint64(1+2*r.IntN(12*len(g.ids))))
	case 7:
		cmd.RequestId = 0
	case 8:
		cmd.PlayerId = 0
	case 9:
		cmd.HuntId += "\n"
	case 10:
		cmd.HuntId += "-elsewhere"
	case 11:
		cmd.Action = nil
	case 12:
		cmd.Action = &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{}}
	case 13:
		cmd.Action = &pb.Command_Move{Move: &pb.Move{X: ^uint32(0), Y: ^uint32(0)}}
	case 14, 15:
		cmd.Epoch = uint64(r.IntN(3)) // the owner's is 1
	case 16:
		cmd.BudgetMs = r.Uint32()
	}
}

// learn keeps the belief near the truth.
func (g *Generator) learn(cmd *pb.Command, outcome *pb.Outcome) {
	for _, impact := range outcome.GetImpacts() {
		if impact.GetUntilMs() != 0 {
			g.endings = append(g.endings, ending{startsAtMs + int64(impact.GetUntilMs()), impact.GetPlayerId()})
		}
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
		if left := g.game.Hunt().Player(cmd.GetPlayerId(), g.now).GetCooldownMs(); left > 0 {
			g.endings = append(g.endings, ending{g.now + int64(left), cmd.GetPlayerId()})
		}
	}
}
