package onecall

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// prefixBytes stand before a message: whether it is compressed, and its length.
	prefixBytes = 5

	frameBytesMax = 16 << 10 // of a payload, as long as nothing else is agreed on
	windowBytes   = 65_535   // that a peer has before it says anything
	windowMax     = 1<<31 - 1
	streamIDMax   = 1<<31 - 1

	// What the server may send: more than an answer at once, and room for many on the
	// connection before it has to hear from us.
	streamWindowBytes     = 1 << 20
	connectionWindowBytes = 8 << 20

	headerBytesMax = 64 << 10 // of one block, compressed
	headerTextMax  = 16 << 10 // of one name or value

	// writeTimeMax is how long a peer may take nothing; it is looked at in steps.
	writeTimeMax = 2 * time.Second
	// silenceMax is how long nothing may be heard after a ping: then a call that ends
	// unanswered gives the connection up. A peer that is gone without a word looks like that.
	silenceMax = 10 * time.Second
)

// Prefix begins a message: append the request to it.
func Prefix(b []byte) []byte { return append(b, make([]byte, prefixBytes)...) }

// link is one connection's life. The goroutine that reads and the one that calls share
// what mu guards.
type link struct {
	config Config
	conn   net.Conn
	hangUp func()        // closes conn
	in     *http2.Framer // used by the reader
	done   chan struct{} // gets a value when the call that is out is finished
	opened chan struct{} // gets a value when a call that is blocked may send more

	mu         sync.Mutex
	out        *bufio.Writer
	frames     *http2.Framer // writes to out
	encoder    *hpack.Encoder
	block      bytes.Buffer // of encoder
	writeUntil time.Time

	window        int64 // how much may be sent on the connection
	streamWindow  int64 // with which a stream begins
	frameBytesMax int
	unannounced   uint32 // bytes that came and that the server was not given back

	nextID   uint32
	draining bool // the server takes no more calls
	gone     bool
	stream   stream
	result   *Error
	pinged   time.Time // when the first ping was sent since something was heard; zero if none was

	decoder    *hpack.Decoder
	head       head
	headBytes  int
	headStream uint32
	headEnds   bool
}

// stream is the call that is out.
type stream struct {
	id      uint32 // 0: there is none
	until   time.Time
	window  int64
	blocked bool // it has more to send than it may
	headed  bool // its answer has begun
	body    []byte
}

func newLink(conn net.Conn, config Config, hangUp func()) *link {
	l := &link{
		config: config, conn: conn, hangUp: hangUp,
		in:   http2.NewFramer(nil, bufio.NewReaderSize(conn, 32<<10)),
		done: make(chan struct{}, 1), opened: make(chan struct{}, 1),
		out: bufio.NewWriterSize(conn, 32<<10), window: windowBytes, streamWindow: windowBytes, frameBytesMax: frameBytesMax,
		nextID: 1,
	}
	l.frames = http2.NewFramer(l.out, nil)
	l.encoder = hpack.NewEncoder(&l.block)
	l.decoder = hpack.NewDecoder(4096, l.head.add)
	l.decoder.SetMaxStringLength(headerTextMax)
	l.in.SetReuseFrames()
	l.in.SetMaxReadFrameSize(frameBytesMax)
	return l
}

// greet exchanges what HTTP/2 begins with.
func (l *link) greet(until time.Time) error {
	if err := l.conn.SetDeadline(until); err != nil {
		return err
	}
	l.mu.Lock()
	_, _ = l.out.WriteString(http2.ClientPreface)
	_ = l.frames.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindowBytes},
	)
	_ = l.frames.WriteWindowUpdate(0, connectionWindowBytes-windowBytes)
	err := l.out.Flush() // which keeps the first error of all
	l.mu.Unlock()
	if err != nil {
		return err
	}
	frame, err := l.next()
	if err != nil {
		return err
	}
	if settings, ok := frame.(*http2.SettingsFrame); !ok || settings.IsAck() {
		return fmt.Errorf("the server does not speak HTTP/2: it began with %s", frame.Header())
	}
	if err := l.handle(frame); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeUntil = time.Time{}
	return l.conn.SetDeadline(l.writeUntil)
}

// read takes what comes until the connection can be used no more, and says why.
func (l *link) read() error {
	for {
		frame, err := l.next()
		if err != nil {
			return err
		}
		if err := l.handle(frame); err != nil {
			return err
		}
	}
}

// next reads a frame. HEADERS come as a DataFrame whose Type says what they are: the
// Framer allocates a HeadersFrame each time, which is twice a call, and has one DataFrame
// for all. Both are laid out alike (RFC 9113, 6.1 and 6.2) but for a priority; HEADERS
// with one, which servers do not send, come as a HeadersFrame.
func (l *link) next() (http2.Frame, error) {
	header, err := l.in.ReadFrameHeader() // which looks at its length, and at what came before
	if err != nil {
		return nil, err
	}
	kind := header.Type
	if kind == http2.FrameHeaders && !header.Flags.Has(http2.FlagHeadersPriority) {
		header.Type = http2.FrameData
	}
	frame, err := l.in.ReadFrameForHeader(header)
	if data, ok := frame.(*http2.DataFrame); ok {
		data.Type = kind
	}
	return frame, err
}

// end is for a link that is not read any more.
func (l *link) end(why error) {
	l.hangUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	if l.stream.id != 0 {
		l.finish(lost(why))
	}
}

// call makes one call, or does not take it: then another link will be.
func (l *link) call(ctx context.Context, expire <-chan time.Time, call Call) (reply []byte, failure *Error, taken bool) {
	id, rest := l.begin(call)
	if id == 0 {
		return nil, nil, false
	}
	for {
		rest = l.write(id, rest)
		select {
		case <-l.done:
			reply, failure = l.answer(id, len(rest) == 0)
			return reply, failure, true
		case <-l.opened:
			continue
		case <-expire:
			failure = expired(true)
		case <-ctx.Done():
			failure = cancelled(true)
		}
		if l.abandon(id) {
			return nil, failure, true
		}
		<-l.done // it was answered just now
		reply, failure = l.answer(id, len(rest) == 0)
		return reply, failure, true
	}
}

// begin writes the headers of a call, and returns what is to be sent behind them. The id
// is 0 if this link takes no more.
func (l *link) begin(call Call) (id uint32, message []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone || l.draining {
		return 0, nil
	}
	if l.nextID > streamIDMax {
		l.draining = true
		l.hangUp()
		return 0, nil
	}
	id = l.nextID
	l.nextID += 2
	l.result = nil
	l.stream = stream{id: id, until: call.Until, window: l.streamWindow, body: l.stream.body[:0]}
	l.block.Reset()
	l.field(":method", "POST")
	l.field(":scheme", "http")
	l.field(":path", l.config.Method)
	l.field(":authority", l.config.Authority)
	l.field("te", "trailers")
	l.field("content-type", "application/grpc")
	l.field("user-agent", "playerstate-go")
	// What is another each time would only push the rest out of the table.
	l.once("grpc-timeout", timeout(time.Until(call.Until)))
	if call.Traceparent != "" {
		l.once("traceparent", call.Traceparent)
	}
	_ = l.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: l.block.Bytes(), EndHeaders: true})
	binary.BigEndian.PutUint32(call.Message[1:], uint32(len(call.Message)-prefixBytes))
	return id, call.Message
}

func (l *link) field(name, value string) {
	_ = l.encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
}

func (l *link) once(name, value string) {
	_ = l.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
}

// timeout is a grpc-timeout: at most 8 digits and a unit. It is never shorter than what is left.
func timeout(left time.Duration) string {
	n, unit := max((left+time.Microsecond-1).Microseconds(), 1), byte('u')
	if n >= 1e8 {
		n, unit = min(left.Milliseconds(), 1e8-1), 'm'
	}
	var text [9]byte // so that the string is all that is allocated
	return string(append(strconv.AppendInt(text[:0], n, 10), unit))
}

// write sends as much of a message as the windows let, and returns the rest.
func (l *link) write(id uint32, rest []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stream.id != id || len(rest) == 0 {
		return rest
	}
	for len(rest) > 0 {
		n := int(min(int64(len(rest)), int64(l.frameBytesMax), l.window, l.stream.window))
		if n <= 0 {
			break
		}
		_ = l.frames.WriteData(id, n == len(rest), rest[:n])
		l.window -= int64(n)
		l.stream.window -= int64(n)
		rest = rest[n:]
	}
	l.stream.blocked = len(rest) > 0
	l.flush()
	return rest
}

// flush hands what was written to the system. A connection that takes no more is ended,
// of which the reader hears.
func (l *link) flush() {
	now := time.Now()
	if l.writeUntil.Sub(now) < writeTimeMax {
		l.writeUntil = now.Add(2 * writeTimeMax)
		_ = l.conn.SetWriteDeadline(l.writeUntil)
	}
	if l.out.Flush() != nil {
		l.hangUp()
	}
}

// abandon lets go of a call that nobody waits for any more. False: it is finished.
func (l *link) abandon(id uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stream.id != id {
		return false
	}
	l.stream.id = 0
	_ = l.frames.WriteRSTStream(id, http2.ErrCodeCancel)
	_ = l.frames.WritePing(false, [8]byte{}) // which a server that is only slow answers
	l.flush()
	if l.pinged.IsZero() {
		l.pinged = time.Now()
	}
	if l.draining || time.Since(l.pinged) >= silenceMax {
		l.hangUp()
	}
	return true
}

// answer is what a call that is finished came to.
func (l *link) answer(id uint32, whole bool) ([]byte, *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !whole && !l.gone {
		_ = l.frames.WriteRSTStream(id, http2.ErrCodeCancel)
		l.flush()
	}
	if l.result != nil {
		return nil, l.result
	}
	body := l.stream.body
	switch {
	case len(body) < prefixBytes:
		return nil, broken("the answer has no message")
	case body[0] != 0:
		return nil, broken("the answer is compressed, which was not asked for")
	case uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-prefixBytes):
		return nil, broken("the answer is not one message")
	}
	return body[prefixBytes:], nil
}

// finish gives the call that is out its end.
func (l *link) finish(result *Error) {
	l.stream.id = 0
	l.result = result
	select {
	case l.done <- struct{}{}:
	default: // never: one call is out at a time, and whoever lets go of one takes its id first
	}
}

var errDrained = errors.New("the server wants no more calls on it")

// handle takes one frame. An error is the end of the connection.
func (l *link) handle(frame http2.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinged = time.Time{}
	if err := l.take(frame); err != nil {
		return err
	}
	if l.draining && l.stream.id == 0 {
		return errDrained
	}
	return nil
}

func (l *link) take(frame http2.Frame) error {
	id := frame.Header().StreamID
	switch f := frame.(type) {
	case *http2.DataFrame:
		if f.Type == http2.FrameHeaders { // see next
			return l.beginHead(f.FrameHeader, f.Data())
		}
		l.takeData(f)
	case *http2.HeadersFrame:
		return l.beginHead(f.FrameHeader, f.HeaderBlockFragment())
	case *http2.ContinuationFrame:
		return l.takeHead(f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.RSTStreamFrame:
		if id == l.stream.id {
			l.finish(reset(f.ErrCode, l.stream.until))
		}
	case *http2.SettingsFrame:
		return l.takeSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = l.frames.WritePing(true, f.Data)
			l.flush()
		}
	case *http2.GoAwayFrame:
		l.draining = true
		if l.stream.id > f.LastStreamID {
			l.finish(away(errDrained)) // it was not looked at
		}
	case *http2.WindowUpdateFrame:
		return l.widen(id, int64(f.Increment))
	case *http2.PushPromiseFrame:
		return errors.New("the server pushes, which it was told not to")
	}
	return nil // what is not known is passed over
}

func (l *link) beginHead(header http2.FrameHeader, fragment []byte) error {
	l.head.reset()
	l.headBytes, l.headStream, l.headEnds = 0, header.StreamID, header.Flags.Has(http2.FlagHeadersEndStream)
	return l.takeHead(fragment, header.Flags.Has(http2.FlagHeadersEndHeaders))
}

func (l *link) takeHead(fragment []byte, ended bool) error {
	if l.headBytes += len(fragment); l.headBytes > headerBytesMax {
		return fmt.Errorf("more than %d bytes of headers", headerBytesMax)
	}
	if _, err := l.decoder.Write(fragment); err != nil {
		return err
	}
	if !ended {
		return nil
	}
	if err := l.decoder.Close(); err != nil {
		return err
	}
	if l.headStream != l.stream.id {
		return nil // of a call that was let go
	}
	switch {
	case l.headEnds:
		l.finish(l.head.end(l.stream.headed))
	case l.stream.headed:
		l.finish(broken("the answer has headers in its middle"))
	case l.head.informs():
	default:
		l.stream.headed = true
		if failure := l.head.begin(); failure != nil {
			l.breakOff(failure)
		}
	}
	return nil
}

// breakOff ends a call whose answer is not wanted any further.
func (l *link) breakOff(result *Error) {
	_ = l.frames.WriteRSTStream(l.stream.id, http2.ErrCodeCancel)
	l.flush()
	l.finish(result)
}

func (l *link) takeData(f *http2.DataFrame) {
	if l.unannounced += f.Length; l.unannounced >= connectionWindowBytes/2 {
		_ = l.frames.WriteWindowUpdate(0, l.unannounced)
		l.unannounced = 0
		l.flush()
	}
	if f.StreamID != l.stream.id {
		return
	}
	room := l.config.ReplyBytesMax + prefixBytes - len(l.stream.body)
	switch {
	case !l.stream.headed:
		l.finish(broken("the answer has no headers"))
	case len(f.Data()) > room:
		text := fmt.Sprintf("the answer has more than %d bytes", l.config.ReplyBytesMax)
		l.breakOff(&Error{Status: status.New(codes.ResourceExhausted, text), Sent: true})
	default:
		l.stream.body = append(l.stream.body, f.Data()...)
		if f.StreamEnded() {
			l.finish(broken("the answer ends without a status"))
		}
	}
}

func (l *link) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingInitialWindowSize:
			l.stream.window += int64(s.Val) - l.streamWindow
			l.streamWindow = int64(s.Val)
		case http2.SettingMaxFrameSize:
			l.frameBytesMax = int(s.Val)
		case http2.SettingHeaderTableSize:
			l.encoder.SetMaxDynamicTableSizeLimit(s.Val)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_ = l.frames.WriteSettingsAck()
	l.flush()
	return l.widen(0, 0)
}

// widen lets more be sent: on the connection, or on the stream that is out.
func (l *link) widen(id uint32, bytes int64) error {
	switch id {
	case 0:
		l.window += bytes
	case l.stream.id:
		l.stream.window += bytes
	}
	isOut := l.stream.id != 0
	if l.window > windowMax || isOut && l.stream.window > windowMax {
		return errors.New("a window is wider than HTTP/2 has them")
	}
	if isOut && l.stream.blocked {
		l.stream.blocked = false
		select {
		case l.opened <- struct{}{}:
		default:
		}
	}
	return nil
}
