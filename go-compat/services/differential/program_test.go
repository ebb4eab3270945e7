//go:build e2e

package differential

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os/exec"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// playWithin bounds one hunt in a program, which takes milliseconds.
const playWithin = time.Minute

// program is an engine's `replay -` that is fed a hunt record by record. It answers
// each when the next one came, and the last at the end.
type program struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// startProgram starts one; stop ends it, wherever it stands.
func startProgram(t reporter, name string) (p *program, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), playWithin)
	p = &program{name: name, cmd: exec.CommandContext(ctx, binary(name), "replay", "-")}
	p.cmd.Stderr = &p.stderr
	var stdout io.Reader
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err == nil {
		stdout, err = p.cmd.StdoutPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	return p, func() {
		cancel()
		_ = p.cmd.Wait() // killed, or ended before
	}
}

// give feeds one record.
func (p *program) give(t reporter, record *pb.Record) {
	t.Helper()
	if _, err := protodelim.MarshalTo(p.stdin, record); err != nil {
		t.Fatalf("%s takes no more: %v\n%s", p.name, err, p.stderr.String())
	}
}

// answer is what became of the record before the one that was given last.
func (p *program) answer(t reporter) *pb.Record {
	t.Helper()
	record := &pb.Record{}
	if err := protodelim.UnmarshalFrom(p.stdout, record); err != nil {
		t.Fatalf("%s gives no more: %v\n%s", p.name, err, p.stderr.String())
	}
	return record
}

// end says that no more comes, and is what became of the last record.
func (p *program) end(t reporter) *pb.Record {
	t.Helper()
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	return p.answer(t)
}
