//go:build e2e

package differential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/rulesets"
	"treasurehunt.example/go-compat/services/huntgen"
)

// table counts over two dimensions, every cell of which has to be met.
type table struct {
	name          string
	rows, columns []string
	cells         map[[2]string]int
}

func newTable(name string, rows, columns []string) *table {
	return &table{name: name, rows: rows, columns: columns, cells: make(map[[2]string]int)}
}

func (t *table) add(row, column string) { t.cells[[2]string{row, column}]++ }

// missing names the cells that were never met.
func (t *table) missing() []string {
	var missing []string
	for _, row := range t.rows {
		for _, column := range t.columns {
			if t.cells[[2]string{row, column}] == 0 {
				missing = append(missing, fmt.Sprintf("%s: %s × %s", t.name, row, column))
			}
		}
	}
	return missing
}

func (t *table) String() string {
	wide := 0
	for _, row := range t.rows {
		wide = max(wide, len(row)+2)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n%*s", t.name, wide, "")
	for _, column := range t.columns {
		fmt.Fprintf(&text, " %8.8s", column)
	}
	for _, row := range t.rows {
		fmt.Fprintf(&text, "\n%*s", wide, row)
		for _, column := range t.columns {
			fmt.Fprintf(&text, " %8d", t.cells[[2]string{row, column}])
		}
	}
	return text.String()
}

// coverage is what the generated hunts met. It is not safe for concurrent use.
type coverage struct {
	commands, hunts int

	verdicts   *table // verdict × action
	rejections *table // rejection × "met"
	used       *table // a power-up × what was used last by or on somebody whom it touches
	stacking   *table // stacking × the slot's state before
	impacts    *table // effect × result
	edges      *table // what lies at the edges of the rules × "met"
}

// The columns and rows that the schema and the rules do not name.
var (
	met        = []string{"met"}
	actions    = []string{"join", "leave", "move", "dig", "pick up", "use"}
	slotStates = []string{"off", "on", "past"}
	stackings  = []string{"refresh", "extend", "stack", "ignore"}
)

// The edges.
const (
	effectEdge    = "a command at the very end of an effect"
	huntEdge      = "a player's command at the very end of the hunt"
	cooldownEdge  = "a use at the very end of a cooldown"
	playersCut    = "an area that reaches 64"
	treasuresCut  = "a dig or reveal of 64"
	lateID        = "an id that came late, applied"
	tooOldID      = "an id behind the window"
	blockedAuthor = "a reflection that a shield stops"
)

func newCoverage(t reporter) *coverage {
	classic := effectsOf(t, rulesets.Classic())
	var names []string
	for _, powerUp := range classic.PowerUp {
		names = append(names, powerUp.Name)
	}
	return &coverage{
		// EXPIRED and UNKNOWN are a matter of time, which these hunts have in their own hands.
		verdicts:   newTable("verdict × action", []string{"APPLIED", "DUPLICATE", "REJECTED", "REFUSED"}, actions),
		rejections: newTable("rejections", namesOf(pb.Rejection_name, "REJECTION_"), met),
		used:       newTable("power-up × the one before on the same player", names, names),
		stacking:   newTable("stacking × state of the slot", stackings, slotStates),
		impacts:    newTable("effect × result", namesOf(pb.EffectKind_name, "EFFECT_KIND_"), []string{"APPLIED"}),
		edges:      newTable("edges", []string{effectEdge, huntEdge, cooldownEdge, playersCut, treasuresCut, lateID, tooOldID, blockedAuthor}, met),
	}
}

// namesOf is an enum's names but for UNSPECIFIED, in their order.
func namesOf(enum map[int32]string, prefix string) []string {
	names := make([]string, len(enum)-1)
	for n, name := range enum {
		if n != 0 {
			names[n-1] = strings.TrimPrefix(name, prefix)
		}
	}
	return names
}

func (c *coverage) tables() []*table {
	return []*table{c.verdicts, c.rejections, c.used, c.stacking, c.impacts, c.edges}
}

func (c *coverage) missing() []string {
	var missing []string
	for _, table := range c.tables() {
		missing = append(missing, table.missing()...)
	}
	return missing
}

func (c *coverage) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d hunts, %d commands", c.hunts, c.commands)
	for _, table := range c.tables() {
		fmt.Fprintf(&text, "\n\n%s", table)
	}
	return text.String()
}

// observer adds one hunt to a coverage.
type observer struct {
	*coverage
	rules      *rulesetEffects
	isClassic  bool
	durationMs int64
	before     map[uint64]*pb.PlayerSnapshot
	lastUsed   map[uint64]string // by or on a player
}

func (c *coverage) observe(t reporter, created *pb.HuntCreated) *observer {
	c.hunts++
	return &observer{
		coverage: c, rules: effectsOf(t, created.GetRuleset()), isClassic: created.GetSettings().GetRuleset() == "classic",
		durationMs: int64(created.GetSettings().GetDurationMs()),
		lastUsed:   make(map[uint64]string),
	}
}

// look notes how the players stand before a command.
func (o *observer) look(g *huntgen.Generator) {
	o.before = make(map[uint64]*pb.PlayerSnapshot)
	for _, player := range g.Game().Hunt().Snapshot().GetPlayers() {
		o.before[player.GetPlayerId()] = player
	}
}

// add counts a command and its outcome, at a time since the hunt's start.
func (o *observer) add(cmd *pb.Command, outcome *pb.Outcome, now int64) {
	o.commands++
	o.verdicts.add(strings.TrimPrefix(outcome.GetVerdict().String(), "VERDICT_"), actionOf(cmd))
	me := o.before[cmd.GetPlayerId()]
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_REJECTED:
		o.rejections.add(strings.TrimPrefix(outcome.GetRejection().String(), "REJECTION_"), "met")
	case pb.Verdict_VERDICT_REFUSED:
		if outcome.GetRefusal().GetReason() == pb.Refusal_REASON_REQUEST_TOO_OLD {
			o.edges.add(tooOldID, "met")
		}
	case pb.Verdict_VERDICT_APPLIED:
		if remembered := me.GetRemembered(); len(remembered) > 0 && cmd.GetRequestId() < remembered[len(remembered)-1].GetRequestId() {
			o.edges.add(lateID, "met")
		}
	default:
	}
	if me.GetPresent() && now == o.durationMs {
		o.edges.add(huntEdge, "met")
	}
	for _, effect := range me.GetEffects() {
		if int64(effect.GetUntilMs()) == now {
			o.edges.add(effectEdge, "met")
		}
	}
	if cmd.GetUsePowerUp() != nil && me.GetCooldownUntilMs() != 0 && int64(me.GetCooldownUntilMs()) == now {
		o.edges.add(cooldownEdge, "met")
	}
	if len(outcome.GetTreasures()) == 64 {
		o.edges.add(treasuresCut, "met")
	}
	if cmd.GetUsePowerUp() != nil && outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
		o.use(cmd, outcome, now)
	}
}

func (o *observer) use(cmd *pb.Command, outcome *pb.Outcome, now int64) {
	name := cmd.GetUsePowerUp().GetPowerUp()
	touched := []uint64{cmd.GetPlayerId()}
	type landed struct {
		player uint64
		kind   pb.EffectKind
	}
	first := make(map[landed]bool)
	for _, impact := range outcome.GetImpacts() {
		kind := strings.TrimPrefix(impact.GetEffect().String(), "EFFECT_KIND_")
		o.impacts.add(kind, strings.TrimPrefix(impact.GetResult().String(), "RESULT_"))
		touched = append(touched, impact.GetPlayerId())
		if impact.GetResult() == pb.Impact_RESULT_BLOCKED && impact.GetPlayerId() == cmd.GetPlayerId() {
			o.edges.add(blockedAuthor, "met")
		}
		// What an effect found is known of the first that landed there.
		at := landed{impact.GetPlayerId(), impact.GetEffect()}
		if stacking := o.rules.stacking(name, strings.ToLower(kind)); stacking != "" && !first[at] && impact.GetResult() != pb.Impact_RESULT_BLOCKED {
			o.stacking.add(stacking, slotState(o.before[impact.GetPlayerId()], impact.GetEffect(), now))
		}
		first[at] = true
	}
	slices.Sort(touched)
	touched = slices.Compact(touched)
	if len(touched) == 64+1 {
		o.edges.add(playersCut, "met")
	}
	for _, player := range touched {
		if last := o.lastUsed[player]; last != "" && o.isClassic {
			o.used.add(name, last)
		}
		o.lastUsed[player] = name
	}
}

func actionOf(cmd *pb.Command) string {
	switch cmd.GetAction().(type) {
	case *pb.Command_Join:
		return "join"
	case *pb.Command_Leave:
		return "leave"
	case *pb.Command_Move:
		return "move"
	case *pb.Command_Dig:
		return "dig"
	case *pb.Command_PickUp:
		return "pick up"
	case *pb.Command_UsePowerUp:
		return "use"
	}
	return "none"
}

func slotState(player *pb.PlayerSnapshot, kind pb.EffectKind, now int64) string {
	for _, effect := range player.GetEffects() {
		switch {
		case effect.GetKind() != kind:
		case int64(effect.GetUntilMs()) > now:
			return "on"
		default:
			return "past"
		}
	}
	return "off"
}

// rulesetEffects is what coverage has to know of a ruleset.
type rulesetEffects struct {
	PowerUp []struct {
		Name    string `toml:"name"`
		Effects []struct {
			Kind     string `toml:"kind"`
			Stacking string `toml:"stacking"`
		} `toml:"effects"`
	} `toml:"power_up"`
}

func effectsOf(t reporter, ruleset []byte) *rulesetEffects {
	t.Helper()
	effects := &rulesetEffects{}
	if err := toml.Unmarshal(ruleset, effects); err != nil {
		t.Fatal(err)
	}
	return effects
}

// stacking is that of a kind of effect in a power-up; "" where it has none, or two.
func (r *rulesetEffects) stacking(powerUp, kind string) string {
	found := ""
	for _, p := range r.PowerUp {
		for _, effect := range p.Effects {
			if p.Name != powerUp || effect.Kind != kind {
				continue
			}
			if found != "" {
				return ""
			}
			found = effect.Stacking
		}
	}
	return found
}
