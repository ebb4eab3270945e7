package loader

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"google.golang.org/protobuf/proto"

	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// played runs a job and turns in this process, over the same lines as a load process.
func played(t *testing.T, job Job, turns ...Turn) []Result {
	t.Helper()
	var in, out bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, line := range append([]any{job}, anys(turns)...) {
		if err := lines.Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	if err := serve(t.Context(), json.NewDecoder(&in), json.NewEncoder(&out)); err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(&out)
	var all joined
	if err := answers.Decode(&all); err != nil || all.Players != job.Hunts*job.Players {
		t.Fatalf("%d players have joined, %v", all.Players, err)
	}
	results := make([]Result, len(turns))
	for i := range results {
		if err := answers.Decode(&results[i]); err != nil {
			t.Fatal(err)
		}
	}
	return results
}

func anys[T any](values []T) (all []any) {
	for _, value := range values {
		all = append(all, value)
	}
	return all
}

func TestATurnIsMeasuredBetweenItsBorders(t *testing.T) {
	job := Job{Client: InProcess, Hunts: 2, Players: 50, Treasures: 256, Callers: 100, ServerPID: os.Getppid()}
	results := played(t, job,
		Turn{WarmUp: 50 * time.Millisecond, Length: 200 * time.Millisecond},
		Turn{WarmUp: 10 * time.Millisecond, Length: 300 * time.Millisecond, PerSecond: 1000},
		Turn{Each: 3})
	closed, open, each := results[0], results[1], results[2]
	if closed.Failed() > 0 || closed.Applied == 0 || closed.Seconds < 0.19 || closed.Seconds > 1 {
		t.Errorf("the closed loop: %+v", closed)
	}
	// The callers of a server in process do nothing but use CPU: of one core at least
	// most of the time, and never more than there is.
	if cpu := closed.Client.CPUSeconds; cpu < 0.05 || cpu > 64*closed.Seconds {
		t.Errorf("the client used %v s of CPU in %v s", cpu, closed.Seconds)
	}
	if closed.Server.CPUSeconds > closed.Client.CPUSeconds {
		t.Errorf("a process that waits for us used %v s, and we %v s", closed.Server.CPUSeconds, closed.Client.CPUSeconds)
	}
	if closed.Heap.AllocatedObjects < closed.Answered()/2 || closed.Heap.AllocatedBytes < closed.Heap.AllocatedObjects*8 {
		t.Errorf("%d commands allocated %+v", closed.Answered(), closed.Heap)
	}
	if got := open.Answered(); open.Open == nil || got < 200 || got > 400 {
		t.Errorf("the open loop of 1,000/s for 0.3 s: %d answered, errors %v", got, open.Errors)
	}
	if each.Answered() != 300 || each.Client.ResidentBytes < 1<<20 {
		t.Errorf("3 commands of each of 100 players: %+v", each)
	}
}

func TestATickWantsAClientOfBatches(t *testing.T) {
	job := Job{Client: Nobody, Hunts: 1, Players: 50, Callers: 1, Tick: 8}
	connection, err := job.connect()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.begin(t.Context(), connection); err == nil {
		t.Error("a function that answers at once took a tick")
	}
}

// TestAShardWhoseSidecarHasOtherHuntsIsNotMeasured: nobody listens where its sidecar should be.
func TestAShardWhoseSidecarHasOtherHuntsIsNotMeasured(t *testing.T) {
	for percent, played := range map[float64]bool{0: true, 100: false} {
		dir := t.TempDir()
		job := Job{
			Client: Shard, Hunts: 2, Players: 50, Treasures: 256, Callers: 8, Socket: filepath.Join(dir, "nobody.sock"),
			Canary: &Canary{Percent: percent, Ledger: filepath.Join(dir, "ledger")},
		}
		connection, err := job.connect()
		if err != nil {
			t.Fatal(err)
		}
		defer connection.hangUp()
		if _, err := job.begin(t.Context(), connection); (err == nil) != played {
			t.Errorf("with %v %% of the hunts: %v", percent, err)
		}
	}
}

func TestTheCPUOfACommandIsOfBothSides(t *testing.T) {
	result := Result{Client: Used{CPUSeconds: 2}, Server: Used{CPUSeconds: 1}}
	result.Applied, result.Rejected = 900_000, 100_000
	result.Errors = map[string]uint64{"lost": 7} // is in no figure
	if result.CPUMicros() != 3 || result.ServerMicros() != 1 || result.ClientMicros() != 2 {
		t.Errorf("%v µs, %v of the server, %v of the client", result.CPUMicros(), result.ServerMicros(), result.ClientMicros())
	}
}

func TestTheLongestPauseIsOfThisTurn(t *testing.T) {
	buckets := []float64{0, 1, 2, 3}
	begin := &metrics.Float64Histogram{Counts: []uint64{5, 0, 1}, Buckets: buckets}
	end := &metrics.Float64Histogram{Counts: []uint64{9, 2, 1}, Buckets: buckets}
	if got := largest(begin, end); got != 2 {
		t.Errorf("the longest pause is %v", got)
	}
	if got := largest(end, end); got != 0 {
		t.Errorf("a turn without a pause has one of %v", got)
	}
}

// TestAnAnswerWithoutAnOutcomeIsAnError: over HTTP a refused call is status 200 as well.
func TestAnAnswerWithoutAnOutcomeIsAnError(t *testing.T) {
	message, err := proto.Marshal(&pb.ApplyResponse{Outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED}})
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
	if kind, err := answerOf(&vegeta.Result{Code: 200, Body: frame}); err != nil || kind != load.Applied {
		t.Errorf("an applied command is %v, %v", kind, err)
	}
	for _, hit := range []*vegeta.Result{
		{Code: 200, Headers: http.Header{"Grpc-Status": {"8"}}},
		{Code: 200, Body: frame[:5]},
		{Code: 200, Body: frame, Error: "unexpected EOF"},
	} {
		if kind, err := answerOf(hit); err == nil {
			t.Errorf("%v is %v", hit, kind)
		}
	}
}
