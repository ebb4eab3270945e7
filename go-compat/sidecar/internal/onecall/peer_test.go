package onecall

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a server's end of a connection, frame by frame in the hand of a test.
type peer struct {
	t testing.TB
	net.Conn
	*http2.Framer
	out     mailbox           // of the framer
	fields  map[string]string // of the last headers read
	decoder *hpack.Decoder
	block   bytes.Buffer
	encoder *hpack.Encoder
	next    uint32 // the stream of the next call
}

// serve makes a Conn whose connections are served one after the other, each by the next
// of play. After the last there is nobody.
func serve(t testing.TB, play ...func(p *peer)) *Conn {
	t.Helper()
	ends := make(chan net.Conn, len(play))
	served := make(chan struct{})
	go func() {
		defer close(served)
		for _, each := range play {
			end, ok := <-ends
			if !ok {
				return
			}
			p := newPeer(t, end)
			each(p)
			p.until(func(http2.Frame) bool { return false }) // the other side ends it
			_ = p.Close()
			close(p.out)
		}
	}()
	left := len(play)
	c := New(Config{
		Authority: "here", Method: "/s/M", ReplyBytesMax: 1000,
		Dial: func(context.Context) (net.Conn, error) {
			if left == 0 {
				return nil, io.ErrClosedPipe
			}
			left--
			ours, theirs := net.Pipe()
			ends <- theirs
			return ours, nil
		},
	})
	t.Cleanup(func() { c.Close(); close(ends); <-served })
	return c
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	p := &peer{t: t, Conn: conn, next: 1}
	// What is written waits for nobody: a pipe has no room of its own.
	p.out = newMailbox(conn)
	p.Framer = http2.NewFramer(p.out, conn)
	p.Framer.AllowIllegalWrites = true
	p.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { p.fields[f.Name] = f.Value })
	p.encoder = newEncoder(p)
	return p
}

func newEncoder(p *peer) *hpack.Encoder { return hpack.NewEncoder(&p.block) }

// mailbox writes what it is given, in order, by a goroutine of its own.
type mailbox chan []byte

func newMailbox(conn net.Conn) mailbox {
	m := make(mailbox, 1024)
	go func() {
		for b := range m {
			_, _ = conn.Write(b) // of one that is closed nobody reads
		}
	}()
	return m
}

func (m mailbox) Write(b []byte) (int, error) {
	m <- bytes.Clone(b)
	return len(b), nil
}

// greet plays the beginning of HTTP/2.
func (p *peer) greet(settings ...http2.Setting) *peer {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(p.Conn, preface); err != nil || string(preface) != http2.ClientPreface {
		p.t.Errorf("the preface is %q, %v", preface, err)
	}
	_ = p.WriteSettings(settings...)
	return p
}

// until reads frames up to one that is wanted. Nil: the connection ended.
func (p *peer) until(wanted func(http2.Frame) bool) http2.Frame {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return nil
		}
		if wanted(f) {
			return f
		}
	}
}

// head reads the headers of the next call, and no further. 0: the connection ended.
func (p *peer) head() uint32 {
	f, ok := p.until(func(f http2.Frame) bool { _, ok := f.(*http2.HeadersFrame); return ok }).(*http2.HeadersFrame)
	if !ok {
		return 0
	}
	p.fields = make(map[string]string)
	if _, err := p.decoder.Write(f.HeaderBlockFragment()); err != nil {
		p.t.Error(err)
	}
	if f.StreamID != p.next {
		p.t.Errorf("stream %d after %d", f.StreamID, p.next-2)
	}
	p.next += 2
	return f.StreamID
}

// call reads a whole call.
func (p *peer) call() (id uint32, message []byte) {
	id = p.head()
	for ended := id == 0; !ended; {
		f, ok := p.until(isData).(*http2.DataFrame)
		if !ok {
			return 0, nil
		}
		message, ended = append(message, f.Data()...), f.StreamEnded()
	}
	return id, message
}

// headers sends a block of them; the names alternate with the values.
func (p *peer) headers(id uint32, ends bool, fields ...string) {
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields...), EndHeaders: true, EndStream: ends})
}

func (p *peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = p.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(p.block.Bytes())
}

var begins = []string{":status", "200", "content-type", "application/grpc"}

// answer sends a message and success.
func (p *peer) answer(id uint32, message string) {
	p.headers(id, false, begins...)
	_ = p.WriteData(id, false, prefixed(message))
	p.headers(id, true, "grpc-status", "0")
}

func prefixed(message string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(b, message...)
}

// echo answers every call with its message.
func echo(p *peer) {
	p.greet()
	for {
		id, message := p.call()
		if id == 0 {
			return
		}
		p.answer(id, string(message[prefixBytes:]))
	}
}

// recite answers every call alike, and allocates nothing from the second on: what a call
// allocates beside it is the client's.
func recite(p *peer) {
	p.greet()
	_ = p.WriteWindowUpdate(0, windowMax-windowBytes)
	id, _ := p.call()
	p.answer(id, "yes") // after which the tables have all fields
	begin, message, end := p.encode(begins...), prefixed("yes"), p.encode("grpc-status", "0")
	out := bufio.NewWriter(p.Conn)
	p.Framer = http2.NewFramer(out, p.Conn)
	payload := make([]byte, frameBytesMax)
	for {
		h, err := p.ReadFrameHeader()
		if err != nil {
			return
		}
		if _, err := io.ReadFull(p.Conn, payload[:h.Length]); err != nil {
			return
		}
		if h.Type == http2.FrameData && h.Flags.Has(http2.FlagDataEndStream) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: h.StreamID, BlockFragment: begin, EndHeaders: true})
			_ = p.WriteData(h.StreamID, false, message)
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: h.StreamID, BlockFragment: end, EndHeaders: true, EndStream: true})
			_ = out.Flush()
		}
	}
}

func request(message string, within time.Duration) Call {
	return Call{Until: time.Now().Add(within), Message: append(Prefix(nil), message...)}
}

// says makes a call that must be answered so.
func says(t testing.TB, c *Conn, call Call, want string) {
	t.Helper()
	got, err := c.Call(t.Context(), call)
	if err != nil || string(got) != want {
		t.Errorf("answered %q, %+v; want %q", got, err, want)
	}
}
