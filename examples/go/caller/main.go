// Command caller is a service of a shard, in a process of its own: it plays a hunt
// at the router's address, or at the sidecar itself.
//
//	go run ./caller tcp:127.0.0.1:7101
//
// The client gives each call a deadline, and the connection its authority; callers
// in other languages see to both.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/sidecar"
	"treasurehunt.example/shard/commands"
	"treasurehunt.example/shard/playerids"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: caller unix:PATH|tcp:HOST:PORT")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, target string) (err error) {
	client, err := sidecar.Dial(sidecar.Config{Target: target})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if failed := client.Close(closing); err == nil {
			err = failed
		}
	}()
	player, err := playerids.New(playerids.NewMemory(1_000)).Of(ctx, uuid.New())
	if err != nil {
		return err
	}
	game := &game{engine: client, ids: playerstate.NewRequestIDs(), hunt: "go-" + uuid.NewString(), player: player}
	return game.play(ctx)
}

// game is one player's part in one hunt.
type game struct {
	engine playerstate.Engine
	ids    *playerstate.RequestIDs // one for all that this process sends
	hunt   string
	player uint64
}

func (g *game) play(ctx context.Context) error {
	created, err := g.create(ctx)
	if err != nil {
		return err
	}
	fmt.Println("hunt at epoch", created.GetEpoch())

	joined, err := g.send(ctx, "join", &pb.Command{Action: &pb.Command_Join{Join: &pb.Join{}}})
	if err != nil {
		return err
	}
	x, y := joined.GetPlayer().GetX(), joined.GetPlayer().GetY()
	step := &pb.Command{Action: &pb.Command_Move{Move: &pb.Move{X: aside(x), Y: y}}}
	if _, err := g.send(ctx, "move", step); err != nil {
		return err
	}
	if _, err := g.send(ctx, "dig", &pb.Command{Action: &pb.Command_Dig{Dig: &pb.Dig{}}}); err != nil {
		return err
	}
	again, err := g.engine.Apply(ctx, step)
	if err != nil {
		return err
	}
	fmt.Println("the move again:", told(again), "at sequence", again.GetSequence())
	return g.follow(ctx)
}

// create makes the hunt. When it fails it may be made again: the same settings get the same answer.
func (g *game) create(ctx context.Context) (*pb.CreateHuntResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // the client's own deadline is 250 ms
	defer cancel()
	return g.engine.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: g.hunt, Settings: &pb.HuntSettings{
		Seed: 7, Width: 16, Height: 16, Treasures: 128, Caches: 128, MaxPlayers: 10, DurationMs: 600_000,
	}})
}

// send sends a command of the player's, and prints what became of it.
func (g *game) send(ctx context.Context, name string, cmd *pb.Command) (*pb.Outcome, error) {
	cmd.HuntId, cmd.PlayerId = g.hunt, g.player
	outcome, err := commands.Send(ctx, g.engine, g.ids, cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("%s: %s\n", name, told(outcome))
	return outcome, nil
}

// follow reads the feed, and goes on from the cursor.
func (g *game) follow(ctx context.Context) error {
	var cursor []byte // empty: all that is kept. Keep it where your counts are, in one transaction
	for _, name := range []string{"feed:", "feed, on from the cursor:"} {
		page, err := g.engine.ReadRecords(ctx, &pb.ReadRecordsRequest{
			Cursor: cursor, MaxRecords: 1_000, WaitMs: 1_000, HuntId: g.hunt,
		})
		if err != nil {
			return err
		}
		fmt.Println(name, len(page.GetRecords()), "records")
		cursor = page.GetCursor()
		if _, err := g.send(ctx, "leave", &pb.Command{Action: &pb.Command_Leave{Leave: &pb.Leave{}}}); err != nil {
			return err
		}
	}
	return nil
}

// aside is a cell beside x.
func aside(x uint32) uint32 {
	if x > 0 {
		return x - 1
	}
	return x + 1
}

// told is the verdict, and why.
func told(outcome *pb.Outcome) string {
	verdict := strings.TrimPrefix(outcome.GetVerdict().String(), "VERDICT_")
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_REJECTED:
		return verdict + " " + strings.TrimPrefix(outcome.GetRejection().String(), "REJECTION_")
	case pb.Verdict_VERDICT_REFUSED:
		return verdict + " " + outcome.GetRefusal().GetReason().String() + " " + outcome.GetRefusal().GetDetail()
	}
	return verdict
}
