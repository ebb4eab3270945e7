package enginetest

import (
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func huntIsShown(b *bench) {
	req := b.createRequest(newID())
	created := b.create(req)
	if created.GetEpoch() == 0 {
		b.Error("created at epoch 0, which means: not checked")
	}
	if b.byRouter && created.GetEpoch() != req.GetEpoch() {
		b.Errorf("created at epoch %d; the router said %d", created.GetEpoch(), req.GetEpoch())
	}
	shown := b.getHunt(req.GetHuntId(), 10)
	b.wantSame("its settings", shown.GetSettings(), req.GetSettings())
	if shown.GetEpoch() != created.GetEpoch() || shown.GetStartsAtMs() != created.GetStartsAtMs() {
		b.Errorf("shown with epoch %d, begun at %d; created with %v", shown.GetEpoch(), shown.GetStartsAtMs(), created)
	}
	if want := created.GetStartsAtMs() + int64(req.GetSettings().GetDurationMs()); shown.GetEndsAtMs() != want {
		b.Errorf("it ends at %d; want its start and its duration, %d", shown.GetEndsAtMs(), want)
	}
	if shown.GetEnded() || shown.GetPlayers() != 0 || len(shown.GetTop()) != 0 {
		b.Errorf("a new hunt is shown as %v", shown)
	}
}

func createIsRepeated(b *bench) {
	req := b.createRequest(newID())
	first := b.create(req)
	b.mustApply(b.join(req.GetHuntId(), 1))
	b.wantSame("the second answer", b.create(req), first)
	if players := b.getHunt(req.GetHuntId(), 0).GetPlayers(); players != 1 {
		b.Errorf("%d players after the second; want the one who had joined", players)
	}
}

func createIsShared(b *bench) {
	req := b.createRequest(newID())
	answers := make([]*pb.CreateHuntResponse, 16)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			resp, err := b.engine.CreateHunt(b.ctx(), proto.CloneOf(req))
			if err != nil {
				b.Errorf("creator %d: %v", i, err)
			}
			answers[i] = resp
		})
	}
	all.Wait()
	for i, answer := range answers {
		if !proto.Equal(answer, answers[0]) {
			b.Errorf("creator %d was answered %v; creator 0 %v", i, answer, answers[0])
		}
	}
}

func idIsTaken(b *bench) {
	req := b.createRequest(newID())
	b.create(req)
	other := proto.CloneOf(req)
	other.Settings.Seed++
	_, err := b.engine.CreateHunt(b.ctx(), other)
	b.wantNotApplied(err, codes.AlreadyExists)
	b.wantSame("the settings after it", b.getHunt(req.GetHuntId(), 0).GetSettings(), req.GetSettings())
	b.end(req.GetHuntId())
	_, err = b.engine.CreateHunt(b.ctx(), other) // ids are never used again
	b.wantNotApplied(err, codes.AlreadyExists)
}

func requestsAreChecked(b *bench) {
	spoilt := func(spoil func(*pb.CreateHuntRequest)) error {
		req := b.createRequest(newID())
		spoil(req)
		_, err := b.engine.CreateHunt(b.ctx(), req)
		return err
	}
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.HuntId = "two words" }), "hunt_id")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.HuntId = strings.Repeat("x", 65) }), "hunt_id")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings = nil }), "settings")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings.Width = 0 }), "settings.width")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings.Height = 4097 }), "settings.height")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings.Treasures = 129 }), "settings.treasures")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings.MaxPlayers = 0 }), "settings.max_players")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings.DurationMs = 0 }), "settings.duration_ms")
	b.wantField(spoilt(func(r *pb.CreateHuntRequest) { r.Settings.Ruleset = "nobody-has-it" }), "settings.ruleset")

	hunt := b.hunt()
	_, err := b.engine.GetHunt(b.ctx(), &pb.GetHuntRequest{HuntId: ""})
	b.wantField(err, "hunt_id")
	_, err = b.engine.GetHunt(b.ctx(), &pb.GetHuntRequest{HuntId: hunt, Top: 1001})
	b.wantField(err, "top")
	_, err = b.engine.EndHunt(b.ctx(), &pb.EndHuntRequest{HuntId: ""})
	b.wantField(err, "hunt_id")
	_, err = b.engine.GetPlayer(b.ctx(), &pb.GetPlayerRequest{HuntId: hunt})
	b.wantField(err, "player_id")
}

func absentIsNotFound(b *bench) {
	_, err := b.engine.GetHunt(b.ctx(), &pb.GetHuntRequest{HuntId: newID()})
	b.wantNotApplied(err, codes.NotFound)
	_, err = b.engine.EndHunt(b.ctx(), &pb.EndHuntRequest{HuntId: newID()})
	b.wantNotApplied(err, codes.NotFound)
	_, err = b.engine.GetPlayer(b.ctx(), &pb.GetPlayerRequest{HuntId: newID(), PlayerId: 1})
	b.wantNotApplied(err, codes.NotFound)
	_, err = b.engine.GetPlayer(b.ctx(), &pb.GetPlayerRequest{HuntId: b.hunt(), PlayerId: 1})
	b.wantNotApplied(err, codes.NotFound)
}

func playerIsShown(b *bench) {
	hunt := b.hunt()
	joined := b.mustApply(b.join(hunt, 7))
	shown := b.getPlayer(hunt, 7)
	b.wantSame("the player after Join", shown.GetPlayer(), joined.GetPlayer())
	if !shown.GetPresent() || b.getHunt(hunt, 0).GetPlayers() != 1 {
		b.Error("a player who joined is not present")
	}
	left := b.mustApply(b.leave(hunt, 7))
	shown = b.getPlayer(hunt, 7)
	b.wantSame("the player after Leave", shown.GetPlayer(), left.GetPlayer())
	if shown.GetPresent() || b.getHunt(hunt, 0).GetPlayers() != 0 {
		b.Error("a player who left is still present")
	}
}

func huntIsEnded(b *bench) {
	hunt := b.hunt()
	for player := range uint64(5) {
		b.mustApply(b.join(hunt, player+1))
		b.apply(b.dig(hunt, player+1)) // some find something
	}
	b.mustApply(b.leave(hunt, 2))
	result := b.end(hunt)
	b.wantSame("the second answer", b.end(hunt), result)
	if result.GetPlayers() != 5 || len(result.GetStandings()) != 5 {
		b.Errorf("%d players, %d standings; 5 joined, and who left counts", result.GetPlayers(), len(result.GetStandings()))
	}
	if !slices.IsSortedFunc(result.GetStandings(), better) {
		b.Errorf("the standings are not by score, then by player: %v", result.GetStandings())
	}
	b.wantRejection(b.apply(b.join(hunt, 9)), pb.Rejection_REJECTION_HUNT_ENDED)
	shown := b.getHunt(hunt, 10)
	if !shown.GetEnded() || shown.GetEndsAtMs() < shown.GetStartsAtMs() {
		b.Errorf("after its end it is shown as %v", shown)
	}
	b.wantSame("its standings when read", &pb.EndHuntResponse{Standings: shown.GetTop()}, &pb.EndHuntResponse{Standings: result.GetStandings()})
}

// better is the order of standings.
func better(a, b *pb.Standing) int {
	switch {
	case a.GetScore() > b.GetScore(), a.GetScore() == b.GetScore() && a.GetPlayerId() < b.GetPlayerId():
		return -1
	case a.GetScore() == b.GetScore() && a.GetPlayerId() == b.GetPlayerId():
		return 0
	}
	return 1
}
