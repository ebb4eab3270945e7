package wiretest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestMain(m *testing.M) {
	if os.Getenv("WIRE_PEER") == "" {
		fmt.Fprintln(os.Stderr, "WIRE_PEER is not set: run `make test-wire`, which builds the Rust side and says where it is")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// peer is a running examples/wire_peer.rs, which answers one frame at a time. It is
// not safe for concurrent use.
type peer struct {
	in   io.WriteCloser
	out  io.Reader
	kill func() error
}

// startPeer runs the peer for the length of a test.
func startPeer(t *testing.T, mode string) *peer {
	t.Helper()
	cmd := exec.Command(os.Getenv("WIRE_PEER"), mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("wire_peer %s: %v", mode, err)
		}
	})
	return &peer{in: in, out: out, kill: cmd.Process.Kill}
}

// answerWithin is far over what any answer takes: a peer that hangs is killed, which
// ends the read that waits for it.
const answerWithin = time.Minute

// ask sends a message's bytes and gives those of the answer, or the reason why there
// is none.
func (p *peer) ask(message string, value []byte) ([]byte, error) {
	hung := time.AfterFunc(answerWithin, func() { _ = p.kill() })
	defer hung.Stop()
	frame, err := proto.Marshal(&anypb.Any{TypeUrl: message, Value: value})
	if err != nil {
		return nil, err
	}
	frame = append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)
	if _, err := p.in.Write(frame); err != nil {
		return nil, fmt.Errorf("wire_peer is gone: %w", err)
	}
	var length [4]byte
	if _, err := io.ReadFull(p.out, length[:]); err != nil {
		return nil, fmt.Errorf("wire_peer is gone: %w", err)
	}
	frame = make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(p.out, frame); err != nil {
		return nil, fmt.Errorf("wire_peer is gone: %w", err)
	}
	answer := &anypb.Any{}
	if err := proto.Unmarshal(frame, answer); err != nil {
		return nil, err
	}
	if answer.GetTypeUrl() == "refused" {
		return nil, errors.New(string(answer.GetValue()))
	}
	return answer.GetValue(), nil
}
