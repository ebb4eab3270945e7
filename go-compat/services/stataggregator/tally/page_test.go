package tally_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testfeed"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

type seatKey struct {
	hunt   string
	player uint64
}

// memory is a book that forgets nothing.
type memory struct {
	hunts    map[string]*tally.Hunt
	seats    map[seatKey]*tally.Seat
	players  map[uint64]*tally.Player
	powerUps map[string]uint64 // "player name": picked and used, in one sum
}

func newMemory() *memory {
	return &memory{map[string]*tally.Hunt{}, map[seatKey]*tally.Seat{}, map[uint64]*tally.Player{}, map[string]uint64{}}
}

func (m *memory) Hunt(id string) (*tally.Hunt, error) {
	if m.hunts[id] == nil {
		m.hunts[id] = &tally.Hunt{ID: id}
	}
	return m.hunts[id], nil
}

func (m *memory) Seat(hunt string, player uint64) (*tally.Seat, error) {
	key := seatKey{hunt, player}
	if m.seats[key] == nil {
		m.seats[key] = &tally.Seat{Hunt: hunt, Player: player}
	}
	return m.seats[key], nil
}

func (m *memory) Player(id uint64) (*tally.Player, error) {
	if m.players[id] == nil {
		m.players[id] = &tally.Player{ID: id}
	}
	return m.players[id], nil
}

func (m *memory) PowerUp(player uint64, name string, picked, used uint64) {
	m.powerUps[fmt.Sprint(player, " ", name)] += picked<<32 + used
}

// count counts records in one page and wants no alarm but those of the kinds given.
func count(t *testing.T, m *memory, records []*pb.Record, kinds ...tally.AlarmKind) *tally.Page {
	t.Helper()
	page, err := tally.Count(m, "feed", &pb.ReadRecordsResponse{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	for _, alarm := range page.Alarms {
		if !slices.Contains(kinds, alarm.Kind) {
			t.Fatalf("an alarm that is none: %+v", alarm)
		}
	}
	return page
}

// wantFinal holds what was counted against the state that the engine ended with.
func (m *memory) wantFinal(t *testing.T, hunt testfeed.Hunt) {
	t.Helper()
	got := m.hunts[hunt.ID]
	if !got.Whole() || got.High != hunt.Final.GetSequence() || got.Records != got.High || got.Final == nil || got.Disagrees || got.Forks > 0 {
		t.Errorf("hunt %s: %+v, want %d records", hunt.ID, got, hunt.Final.GetSequence())
	}
	applied, scores := uint64(0), int64(0)
	for _, player := range hunt.Final.GetPlayers() {
		seat := m.seats[seatKey{hunt.ID, player.GetPlayerId()}]
		if seat == nil || seat.Score != int64(player.GetScore()) || seat.Applied != uint64(player.GetVersion()) {
			t.Errorf("hunt %s: %+v, want score %d and version %d", hunt.ID, seat, player.GetScore(), player.GetVersion())
			continue
		}
		applied += seat.Applied
		scores += seat.Score
	}
	if got.Applied != applied || got.Scores != scores || got.Dug != uint64(scores) || got.Players != uint64(len(hunt.Final.GetPlayers())) {
		t.Errorf("hunt %s: %+v, want %d applied, scores of %d, %d players", hunt.ID, got, applied, scores, len(hunt.Final.GetPlayers()))
	}
}

func playAll(t *testing.T, commands int) (*rand.Rand, []testfeed.Hunt) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var hunts []testfeed.Hunt
	for range 6 {
		hunts = append(hunts, testfeed.Play(t, random.Uint64(), commands))
	}
	return random, hunts
}

func TestWhatIsCountedIsWhatTheEngineEndedWith(t *testing.T) {
	random, hunts := playAll(t, 3000)
	m := newMemory()
	records := testfeed.Merge(random, hunts...)
	for page := range slices.Chunk(records, 700) {
		count(t, m, page)
	}
	for _, hunt := range hunts {
		m.wantFinal(t, hunt)
	}
}

func TestAHitIsGivenReceivedOrBlockedOnce(t *testing.T) {
	const actor, other, third = 7, 8, 9
	impact := func(player uint64, effect pb.EffectKind, result pb.Impact_Result) *pb.Impact {
		return &pb.Impact{PlayerId: player, Effect: effect, Result: result}
	}
	const freeze, steal, swap = pb.EffectKind_EFFECT_KIND_FREEZE, pb.EffectKind_EFFECT_KIND_STEAL, pb.EffectKind_EFFECT_KIND_SWAP
	const applied, blocked, reflected, ignored = pb.Impact_RESULT_APPLIED, pb.Impact_RESULT_BLOCKED, pb.Impact_RESULT_REFLECTED, pb.Impact_RESULT_IGNORED
	for name, test := range map[string]struct {
		impacts           []*pb.Impact
		given             uint64            // by the actor
		received, blocked map[uint64]uint64 // by player
	}{
		"a freeze":             {impacts: []*pb.Impact{impact(other, freeze, applied)}, given: 1, received: map[uint64]uint64{other: 1}},
		"a freeze ignored":     {impacts: []*pb.Impact{impact(other, freeze, ignored)}},
		"a freeze blocked":     {impacts: []*pb.Impact{impact(other, freeze, blocked)}, blocked: map[uint64]uint64{other: 1}},
		"a freeze reflected":   {impacts: []*pb.Impact{impact(actor, freeze, reflected)}, received: map[uint64]uint64{actor: 1}},
		"a reflection blocked": {impacts: []*pb.Impact{impact(actor, freeze, blocked)}, blocked: map[uint64]uint64{actor: 1}},
		"a steal": {impacts: []*pb.Impact{impact(other, steal, applied), impact(actor, steal, applied)},
			given: 1, received: map[uint64]uint64{other: 1}},
		"a steal reflected": {impacts: []*pb.Impact{impact(actor, steal, reflected), impact(other, steal, reflected)},
			received: map[uint64]uint64{actor: 1}},
		"a blizzard": {impacts: []*pb.Impact{impact(other, freeze, applied), impact(third, freeze, blocked)},
			given: 1, received: map[uint64]uint64{other: 1}, blocked: map[uint64]uint64{third: 1}},
		"two effects": {impacts: []*pb.Impact{impact(other, swap, applied), impact(actor, swap, applied), impact(other, steal, blocked), impact(other, freeze, applied)},
			given: 2, received: map[uint64]uint64{other: 2}, blocked: map[uint64]uint64{other: 1}},
		"a shield": {impacts: []*pb.Impact{impact(actor, pb.EffectKind_EFFECT_KIND_SHIELD, applied)}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			count(t, m, []*pb.Record{{HuntId: "h", Epoch: 1, Sequence: 1, Change: &pb.Record_Applied{Applied: &pb.Applied{
				Command: &pb.Command{HuntId: "h", PlayerId: actor, RequestId: 1, Action: &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: "x"}}},
				Outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, Impacts: test.impacts},
			}}}})
			for _, id := range []uint64{actor, other, third} {
				got, _ := m.Player(id)
				given := uint64(0)
				if id == actor {
					given = test.given
				}
				if got.HitsGiven != given || got.HitsReceived != test.received[id] || got.HitsBlocked != test.blocked[id] {
					t.Errorf("player %d: %+v", id, got)
				}
			}
		})
	}
}

// The order and the number of arrivals leave no trace in the statistics.
func TestShuffledAndRepeatedRecordsCountTheSame(t *testing.T) {
	random, hunts := playAll(t, 1500)
	records := testfeed.Merge(random, hunts...)
	inOrder, shuffled := newMemory(), newMemory()
	count(t, inOrder, records)
	twice := slices.Concat(records, records)
	random.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
	total, missing := uint64(0), int64(0)
	for page := range slices.Chunk(twice, 333) {
		p := count(t, shuffled, page, tally.Hole)
		total += p.Records
		missing += p.Missing
	}
	if total != uint64(len(records)) || missing != 0 {
		t.Fatalf("%d counted of %d, %d missing", total, len(records), missing)
	}
	for _, hunt := range hunts {
		shuffled.wantFinal(t, hunt)
	}
	for key, seat := range inOrder.seats {
		if *seat != *shuffled.seats[key] {
			t.Errorf("%+v in order, %+v shuffled", *seat, *shuffled.seats[key])
		}
	}
	for id, player := range inOrder.players {
		if *player != *shuffled.players[id] {
			t.Errorf("%+v in order, %+v shuffled", *player, *shuffled.players[id])
		}
	}
	for key, had := range inOrder.powerUps {
		if shuffled.powerUps[key] != had {
			t.Errorf("%s: %x in order, %x shuffled", key, had, shuffled.powerUps[key])
		}
	}
}

func TestAHoleIsAnAlarmAndIsStillFilled(t *testing.T) {
	hunt := testfeed.Play(t, 7, 400)
	m := newMemory()
	page := count(t, m, slices.Concat(hunt.Records[:10], hunt.Records[15:]), tally.Hole)
	if len(page.Alarms) != 1 || page.Alarms[0].Text != "records 11 to 15 did not arrive" || page.Alarms[0].Sequence != 16 || page.Missing != 5 {
		t.Fatalf("%+v", page)
	}
	late := count(t, m, hunt.Records[8:17])
	if late.Records != 5 || late.Duplicates != 4 || late.Missing != -5 {
		t.Fatalf("%+v", late)
	}
	m.wantFinal(t, hunt)
	if got := m.hunts[hunt.ID]; got.Holes != 1 || got.Duplicates != 4 {
		t.Errorf("%+v", got)
	}
}

func TestMarksTellOtherCommandsApart(t *testing.T) {
	hunt := testfeed.Play(t, 11, 400)
	m := newMemory()
	count(t, m, hunt.Records)
	want := map[uint64]uint64{}
	for _, record := range hunt.Records {
		if cmd := record.GetApplied().GetCommand(); cmd != nil && cmd.GetJoin() == nil {
			want[cmd.GetPlayerId()] += audit.Mark(cmd.GetRequestId(), record.GetSequence())
		}
	}
	for player, marks := range want {
		if got := m.seats[seatKey{hunt.ID, player}].Marks; got != marks {
			t.Errorf("player %d: %x, want %x", player, got, marks)
		}
	}
}

func TestADisagreementIsToldOnce(t *testing.T) {
	hunt := testfeed.Play(t, 13, 400)
	for name, spoil := range map[string]func(records []*pb.Record){
		"an answer": func(records []*pb.Record) {
			for _, record := range records[50:] {
				if p := record.GetApplied().GetOutcome().GetPlayer(); p != nil {
					p.Score += 10
				}
			}
		},
		"the end": func(records []*pb.Record) {
			records[len(records)-1].GetEnded().GetStandings()[0].Score++
		},
		"the players": func(records []*pb.Record) { records[len(records)-1].GetEnded().Players++ },
		"a treasure": func(records []*pb.Record) {
			for _, record := range records {
				if dig := record.GetApplied(); dig.GetCommand().GetDig() != nil {
					dig.GetOutcome().GetTreasures()[0].Value += 10
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var records []*pb.Record
			for _, record := range hunt.Records {
				records = append(records, proto.CloneOf(record))
			}
			spoil(records)
			m := newMemory()
			page := count(t, m, records, tally.Disagreement)
			if len(page.Alarms) != 1 || !m.hunts[hunt.ID].Disagrees {
				t.Errorf("%d alarms: %v", len(page.Alarms), page.Alarms)
			}
		})
	}
}

func TestARecordAfterTheEndIsADisagreement(t *testing.T) {
	hunt := testfeed.Play(t, 13, 400)
	after := proto.CloneOf(hunt.Records[1])
	after.Sequence = hunt.Final.GetSequence() + 1
	after.GetApplied().Command.Action = &pb.Command_Leave{Leave: &pb.Leave{}}
	after.GetApplied().Outcome.Player = nil
	after.GetApplied().Command.PlayerId = 1 << 40 // whose score is 0
	m := newMemory()
	page := count(t, m, append(slices.Clone(hunt.Records), after), tally.Disagreement)
	if len(page.Alarms) != 1 || !m.hunts[hunt.ID].Disagrees {
		t.Errorf("%v", page.Alarms)
	}
}

func TestAStealThatMakesScoreIsToldAtTheEndAtTheLatest(t *testing.T) {
	m := newMemory()
	count(t, m, []*pb.Record{
		{HuntId: "h", Epoch: 1, Sequence: 1, Change: &pb.Record_Applied{Applied: &pb.Applied{
			Command: &pb.Command{HuntId: "h", PlayerId: 7, RequestId: 1, Action: &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: "pickpocket"}}},
			Outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, Player: &pb.PlayerSummary{Score: 10}, Impacts: []*pb.Impact{
				{PlayerId: 8, Effect: pb.EffectKind_EFFECT_KIND_STEAL, Result: pb.Impact_RESULT_APPLIED, ScoreChange: -9},
				{PlayerId: 7, Effect: pb.EffectKind_EFFECT_KIND_STEAL, Result: pb.Impact_RESULT_APPLIED, ScoreChange: 10},
			}},
		}}},
		{HuntId: "h", Epoch: 1, Sequence: 2, Change: &pb.Record_Ended{Ended: &pb.HuntEnded{}}},
	}, tally.Disagreement)
	if got := m.hunts["h"]; !got.Disagrees || m.players[7].HitsGiven != 1 || m.players[8].HitsReceived != 1 || m.players[7].HitsReceived != 0 {
		t.Errorf("%+v", got)
	}
}

// A higher epoch that begins behind the last record is a move; one that begins
// among those counted is a fork, which this build tells of and does not take back.
func TestAForkIsAnAlarmAndNeverASilentMiscount(t *testing.T) {
	record := func(epoch, sequence, request uint64) *pb.Record {
		return &pb.Record{HuntId: "h", Epoch: epoch, Sequence: sequence, Change: &pb.Record_Applied{Applied: &pb.Applied{
			Command: &pb.Command{HuntId: "h", PlayerId: 7, RequestId: request, Action: &pb.Command_Leave{Leave: &pb.Leave{}}},
			Outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED},
		}}}
	}
	changed := func(epoch, sequence uint64) *pb.Record {
		return &pb.Record{HuntId: "h", Epoch: epoch, Sequence: sequence, Change: &pb.Record_OwnerChanged{OwnerChanged: &pb.OwnerChanged{}}}
	}
	first := []*pb.Record{record(1, 1, 1), record(1, 2, 2), record(1, 3, 3)}
	for name, test := range map[string]struct {
		then    []*pb.Record
		forks   int
		applied uint64
	}{
		"a move":                              {[]*pb.Record{changed(2, 4), record(2, 5, 4)}, 0, 4},
		"a move whose records come reordered": {[]*pb.Record{record(2, 6, 5), record(1, 4, 4), changed(2, 5)}, 0, 5},
		"a fork":                              {[]*pb.Record{changed(2, 3), record(2, 4, 9)}, 1, 4},
		"a fork's losing side, late":          {[]*pb.Record{changed(2, 4), record(1, 5, 9)}, 1, 3},
		"a fork seen backwards":               {[]*pb.Record{record(2, 4, 9), changed(2, 3)}, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			page := count(t, m, append(slices.Clone(first), test.then...), tally.Fork, tally.Hole)
			forks := 0
			for _, alarm := range page.Alarms {
				if alarm.Kind == tally.Fork {
					forks++
				}
			}
			if forks != test.forks || int(m.hunts["h"].Forks) != test.forks || m.hunts["h"].Applied != test.applied {
				t.Errorf("%d forks, %+v, want %d forks and %d applied", forks, m.hunts["h"], test.forks, test.applied)
			}
		})
	}
}

// An owner that restarts goes on at a higher epoch with all its hunts, those that have
// ended too: its record is counted, and no gap, no fork and no disagreement.
func TestAnOwnersRestartIsCountedAndNoAlarm(t *testing.T) {
	records, middle := restarted(t)
	hunt := records[0].GetHuntId()
	m := newMemory()
	page := count(t, m, records)
	if got := m.hunts[hunt]; page.Records != uint64(len(records)) || got.Epoch != 12 || got.Final == nil || got.Disagrees || !got.Whole() {
		t.Errorf("%d counted, %+v", page.Records, got)
	}
	late := proto.CloneOf(records[middle-1])
	late.Epoch, late.Sequence = 12, uint64(len(records)+1)
	count(t, m, []*pb.Record{late}, tally.Disagreement)
	if !m.hunts[hunt].Disagrees {
		t.Error("a command after the end is taken for normal")
	}
}

// In whatever order the end and the restarts behind it arrive.
func TestAnEndThatArrivesBehindItsOwnersRestartIsNoAlarm(t *testing.T) {
	records, _ := restarted(t)
	last := len(records) - 3
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		m := newMemory()
		count(t, m, records[:last])
		for _, i := range order {
			count(t, m, records[last+i:last+i+1], tally.Hole)
		}
		if got := m.hunts[records[0].GetHuntId()]; got.Final == nil || got.Disagrees || got.Forks > 0 || !got.Whole() {
			t.Errorf("order %v: %+v", order, got)
		}
	}
}

// restarted is a hunt whose owner restarts in its middle, and twice after its end.
func restarted(t *testing.T) (records []*pb.Record, middle int) {
	hunt := testfeed.Play(t, 17, 300)
	middle = len(hunt.Records) / 2
	changed := func(epoch uint64) *pb.Record {
		return &pb.Record{HuntId: hunt.ID, Epoch: epoch, Change: &pb.Record_OwnerChanged{OwnerChanged: &pb.OwnerChanged{Owner: "sidecar"}}}
	}
	records = slices.Concat(hunt.Records[:middle], []*pb.Record{changed(5)}, hunt.Records[middle:], []*pb.Record{changed(9), changed(12)})
	epoch := uint64(1)
	for i, record := range records {
		record = proto.CloneOf(record)
		epoch = max(epoch, record.GetEpoch())
		record.Epoch, record.Sequence = epoch, uint64(i+1)
		records[i] = record
	}
	return records, middle
}

func TestWrongRecordsAreAlarmsAndSpoilNoOthers(t *testing.T) {
	applied := func(sequence uint64, cmd *pb.Command, outcome *pb.Outcome) *pb.Record {
		return &pb.Record{HuntId: "h", Epoch: 1, Sequence: sequence, Change: &pb.Record_Applied{Applied: &pb.Applied{Command: cmd, Outcome: outcome}}}
	}
	good := &pb.Command{HuntId: "h", PlayerId: 7, RequestId: 1, Action: &pb.Command_Join{Join: &pb.Join{}}}
	pickUp := &pb.Command{HuntId: "h", PlayerId: 7, RequestId: 1, Action: &pb.Command_PickUp{PickUp: &pb.PickUp{}}}
	ok := &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED}
	for name, wrong := range map[string]*pb.Record{
		"nothing":                   {},
		"no hunt":                   {Sequence: 2},
		"a hunt of a line":          {HuntId: "a\nb", Sequence: 2},
		"sequence 0":                {HuntId: "h"},
		"the last sequence":         {HuntId: "h", Sequence: 1<<64 - 1, Epoch: 1},
		"no change":                 {HuntId: "h", Sequence: 2, Epoch: 1},
		"no command":                applied(2, nil, ok),
		"no action":                 applied(2, &pb.Command{HuntId: "h", PlayerId: 7, RequestId: 1}, ok),
		"no player":                 applied(2, &pb.Command{HuntId: "h", RequestId: 1, Action: good.Action}, ok),
		"no outcome":                applied(2, good, nil),
		"an unknown verdict":        applied(2, good, &pb.Outcome{Verdict: 99}),
		"a rejection":               applied(2, good, &pb.Outcome{Verdict: pb.Verdict_VERDICT_REJECTED}),
		"a power-up of no name":     applied(2, pickUp, ok),
		"a power-up of a zero byte": applied(2, pickUp, &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, PickedUp: "shie\x00ld"}),
		"a ruleset of a zero byte":  {HuntId: "h", Sequence: 2, Epoch: 1, Change: &pb.Record_Created{Created: &pb.HuntCreated{Settings: &pb.HuntSettings{Ruleset: "\x00"}}}},
		"an impact on nobody":       applied(2, good, &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, Impacts: []*pb.Impact{{}}}),
	} {
		t.Run(name, func(t *testing.T) {
			hunt := testfeed.Play(t, 17, 300)
			m := newMemory()
			records := slices.Concat(hunt.Records[:20], []*pb.Record{applied(1, good, ok), wrong}, hunt.Records[20:])
			page := count(t, m, records, tally.Malformed)
			if len(page.Alarms) != 1 {
				t.Errorf("%d alarms: %v", len(page.Alarms), page.Alarms)
			}
			m.wantFinal(t, hunt)
		})
	}
}

func TestEnumsThatThisBuildDoesNotKnowAreNoAlarm(t *testing.T) {
	m := newMemory()
	use := &pb.Command{HuntId: "h", PlayerId: 7, RequestId: 1, Action: &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: "new"}}}
	count(t, m, []*pb.Record{{HuntId: "h", Epoch: 1, Sequence: 1, Change: &pb.Record_Applied{Applied: &pb.Applied{
		Command: use,
		Outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, Impacts: []*pb.Impact{{PlayerId: 8, Effect: 99, Result: 99}, {PlayerId: 8, Effect: pb.EffectKind_EFFECT_KIND_STEAL, Result: 99}}},
	}}}})
	if got := m.players[7]; got.Used != 1 || got.HitsGiven != 0 || m.players[8] != nil {
		t.Errorf("%+v", got)
	}
}
