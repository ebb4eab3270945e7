package router

import (
	"bytes"
	"encoding/binary"
)

// cursor is a place in the merged feed: one in each engine's, and whose turn it is
// when both have more than fits. To readers it is opaque.
//
// Its bytes: "R", version 1, the turn (0 or 1), then legacy and sidecar, each as a
// length (uvarint) and that many bytes.
type cursor struct {
	legacy, sidecar []byte
	sidecarsTurn    bool
}

const (
	cursorMagic   = 'R'
	cursorVersion = 1
)

func (c cursor) encode() []byte {
	turn := byte(0)
	if c.sidecarsTurn {
		turn = 1
	}
	out := []byte{cursorMagic, cursorVersion, turn}
	for _, part := range [][]byte{c.legacy, c.sidecar} {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// decodeCursor reads a cursor. Empty is the oldest kept. ok is false for what is
// none of this feed: it is read from the oldest kept, with a gap.
func decodeCursor(in []byte) (c cursor, ok bool) {
	if len(in) == 0 {
		return cursor{}, true
	}
	if len(in) < 3 || in[0] != cursorMagic || in[1] != cursorVersion || in[2] > 1 {
		return cursor{}, false
	}
	c.sidecarsTurn = in[2] == 1
	rest := in[3:]
	if c.legacy, rest, ok = cutPart(rest); !ok {
		return cursor{}, false
	}
	if c.sidecar, rest, ok = cutPart(rest); !ok || len(rest) > 0 {
		return cursor{}, false
	}
	return c, true
}

func cutPart(in []byte) (part, rest []byte, ok bool) {
	size, n := binary.Uvarint(in)
	if n <= 0 || size > uint64(len(in)-n) {
		return nil, nil, false
	}
	in = in[n:]
	return bytes.Clone(in[:size]), in[size:], true
}
