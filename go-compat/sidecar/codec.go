package sidecar

import (
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec is grpc's own protobuf codec, but that it knows a batch, whose commands
// their callers have encoded: on their time, in parallel, before they wait. The
// sender, which is one goroutine a lane, only joins the pieces, and reads outcomes.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*batch)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	pool := mem.DefaultBufferPool()
	message := pool.Get(b.bytes)
	*message = b.append((*message)[:0], time.Now())
	return mem.BufferSlice{mem.NewBuffer(message, pool)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	o, ok := v.(*outcomes)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	message := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer message.Free()
	return o.read(message.ReadOnlyData())
}
