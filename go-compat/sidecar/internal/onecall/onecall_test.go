package onecall

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestACallIsOneOfGRPC(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		for range 3 {
			id, message := p.call()
			for name, want := range map[string]string{
				":method": "POST", ":scheme": "http", ":path": "/s/M", ":authority": "here", "te": "trailers",
				"content-type": "application/grpc", "traceparent": string(message[prefixBytes:]),
			} {
				if got := p.fields[name]; got != want {
					t.Errorf("%s is %q and should be %q", name, got, want)
				}
			}
			left, err := time.ParseDuration(strings.Replace(p.fields["grpc-timeout"], "u", "us", 1))
			if err != nil || left <= 0 || left > time.Minute {
				t.Errorf("grpc-timeout is %q", p.fields["grpc-timeout"])
			}
			p.answer(id, "yes")
		}
	})
	for _, message := range []string{"", "a", strings.Repeat("b", 100)} {
		call := request(message, time.Minute)
		call.Traceparent = message
		says(t, c, call, "yes")
	}
}

func TestTimeoutsHaveAtMostEightDigits(t *testing.T) {
	for left, want := range map[time.Duration]string{
		-time.Second: "1u", time.Nanosecond: "1u", 1001 * time.Nanosecond: "2u", 2 * time.Second: "2000000u", 99 * time.Second: "99000000u",
		100 * time.Second: "100000m", 1 << 62: "99999999m",
	} {
		if got := timeout(left); got != want {
			t.Errorf("%s is %q and should be %q", left, got, want)
		}
	}
}

// TestAMessageWaitsForItsWindows: neither the stream's nor the connection's is overrun.
func TestAMessageWaitsForItsWindows(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	c := serve(t, func(p *peer) {
		p.greet(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 20_000})
		id, got := p.head(), 0
		for stream, connection := 10, windowBytes; got < len(long)+prefixBytes; {
			f, ok := p.until(isData).(*http2.DataFrame)
			if !ok {
				t.Error("the connection ended")
				return
			}
			n := len(f.Data())
			got, stream, connection = got+n, stream-n, connection-n
			if n > 20_000 || stream < 0 || connection < 0 {
				t.Errorf("a frame of %d leaves windows of %d and %d", n, stream, connection)
			}
			switch {
			case stream == 0 && stream+connection > 60_000: // first by another way
				stream = 9_990
				_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10_000})
			case stream == 0:
				stream = 70_000
				_ = p.WriteWindowUpdate(id, 70_000)
			}
			if connection == 0 {
				connection = 50_000
				_ = p.WriteWindowUpdate(0, 50_000)
			}
		}
		p.answer(id, "yes")
	})
	says(t, c, request(long, time.Minute), "yes")
}

// TestTheWindowOfACallThatIsOverIsNotLookedAt: it would be too wide after the settings.
func TestTheWindowOfACallThatIsOverIsNotLookedAt(t *testing.T) {
	settled := make(chan struct{})
	c := serve(t, func(p *peer) {
		p.greet()
		id, _ := p.call()
		_ = p.WriteWindowUpdate(id, windowMax-windowBytes)
		p.answer(id, "one")
		_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 2 * windowBytes})
		p.until(func(f http2.Frame) bool { s, is := f.(*http2.SettingsFrame); return is && s.IsAck() })
		close(settled)
		id, _ = p.call()
		p.answer(id, "two")
	})
	says(t, c, request("", time.Minute), "one")
	<-settled
	says(t, c, request("", time.Minute), "two")
}

// TestAnAnswerMayComeInPieces: as HTTP/2 allows, with what else may come between.
func TestAnAnswerMayComeInPieces(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		for id, _ := p.call(); id != 0; id, _ = p.call() {
			p.headers(id, false, ":status", "103", "link", "x")
			_ = p.WritePing(false, [8]byte{1})
			if ping, ok := p.until(isPing).(*http2.PingFrame); !ok || !ping.IsAck() || ping.Data != [8]byte{1} {
				t.Errorf("the ping was answered with %v", ping)
			}
			block := p.encode(append([]string{"x-long", strings.Repeat("y", 300)}, begins...)...)
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:1]})
			_ = p.WriteContinuation(id, false, block[1:2])
			_ = p.WriteContinuation(id, true, block[2:])
			message := prefixed("in pieces")
			_ = p.WriteDataPadded(id, false, message[:2], make([]byte, 50))
			_ = p.WriteRawFrame(0xfa, 0, id, []byte("of a newer HTTP/2"))
			_ = p.WriteData(id, false, nil)
			_ = p.WriteData(id, false, message[2:])
			p.headers(id, true, "grpc-status", "0")
		}
	})
	for range 3 {
		says(t, c, request("", time.Minute), "in pieces")
	}
}

func TestAnAnswerMayEndThoughTheCallIsNotSentYet(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 8})
		p.headers(p.head(), true, append(begins, "grpc-status", "8", "grpc-message", "too%20many")...)
		if f := p.until(isReset); f == nil || f.Header().StreamID != 1 {
			t.Errorf("the call was not broken off: %v", f)
		}
		id, _ := p.call()
		p.answer(id, "")
	})
	_, err := c.Call(t.Context(), request("longer than eight", time.Minute))
	if err == nil || err.Status.Code() != codes.ResourceExhausted || err.Status.Message() != "too many" || !err.Sent {
		t.Errorf("%+v", err)
	}
	says(t, c, request("", time.Minute), "")
}

func TestWhatIsNoAnswerIsAnErrorThatSaysWhatIsKnown(t *testing.T) {
	shed, err := status.New(codes.ResourceExhausted, "shed").WithDetails(&errdetails.RetryInfo{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(shed.Proto())
	if err != nil {
		t.Fatal(err)
	}
	details := base64.StdEncoding.EncodeToString(raw)
	data := func(p *peer, id uint32, b []byte) {
		p.headers(id, false, begins...)
		_ = p.WriteData(id, false, b)
		p.headers(id, true, "grpc-status", "0")
	}
	for name, c := range map[string]struct {
		answer func(p *peer, id uint32)
		want   Error
	}{
		"a status alone": {func(p *peer, id uint32) {
			p.headers(id, true, append(begins, "grpc-status", "3", "grpc-message", "na%C3%AFve 100%")...)
		}, Error{Status: status.New(codes.InvalidArgument, "na%C3%AFve 100%"), Sent: true}},
		"a status after headers": {func(p *peer, id uint32) {
			p.headers(id, false, begins...)
			p.headers(id, true, "grpc-status", "5", "grpc-message", "na%C3%AFve")
		}, Error{Status: status.New(codes.NotFound, "naïve"), Sent: true}},
		"a status with details": {func(p *peer, id uint32) {
			p.headers(id, true, append(begins, "grpc-status", "8", "grpc-status-details-bin", details)...)
		}, Error{Status: shed, Sent: true}},
		"details that do not belong to it": {func(p *peer, id uint32) {
			p.headers(id, true, append(begins, "grpc-status", "13", "grpc-message", "bug", "grpc-status-details-bin", details)...)
		}, Error{Status: status.New(codes.Internal, "bug"), Sent: true}},
		"no status": {func(p *peer, id uint32) { p.headers(id, true, begins...) },
			Error{Status: status.New(codes.Internal, `the answer has no status of gRPC, but ""`), Sent: true}},
		"an end without trailers": {func(p *peer, id uint32) {
			p.headers(id, false, begins...)
			_ = p.WriteData(id, true, prefixed("x"))
		}, Error{Status: status.New(codes.Internal, "the answer ends without a status"), Sent: true}},
		"another protocol": {func(p *peer, id uint32) { p.headers(id, false, ":status", "404", "content-type", "text/html") },
			Error{Status: status.New(codes.Unknown, `the answer is not gRPC: HTTP status "404", "text/html"`), Sent: true}},
		"data first": {func(p *peer, id uint32) { _ = p.WriteData(id, false, prefixed("x")) },
			Error{Status: status.New(codes.Internal, "the answer has no headers"), Sent: true}},
		"headers twice": {func(p *peer, id uint32) {
			p.headers(id, false, begins...)
			p.headers(id, false, begins...)
		}, Error{Status: status.New(codes.Internal, "the answer has headers in its middle"), Sent: true}},
		"no message":       {func(p *peer, id uint32) { data(p, id, nil) }, Error{Status: status.New(codes.Internal, "the answer has no message"), Sent: true}},
		"half a message":   {func(p *peer, id uint32) { data(p, id, prefixed("ab")[:6]) }, Error{Status: status.New(codes.Internal, "the answer is not one message"), Sent: true}},
		"two messages":     {func(p *peer, id uint32) { data(p, id, append(prefixed("a"), prefixed("b")...)) }, Error{Status: status.New(codes.Internal, "the answer is not one message"), Sent: true}},
		"a compressed one": {func(p *peer, id uint32) { data(p, id, []byte{1, 0, 0, 0, 0}) }, Error{Status: status.New(codes.Internal, "the answer is compressed, which was not asked for"), Sent: true}},
		"one too long": {func(p *peer, id uint32) { data(p, id, prefixed(strings.Repeat("x", 1001))) },
			Error{Status: status.New(codes.ResourceExhausted, "the answer has more than 1000 bytes"), Sent: true}},
		"refused": {func(p *peer, id uint32) { _ = p.WriteRSTStream(id, http2.ErrCodeRefusedStream) },
			Error{Status: status.New(codes.Unavailable, "the server broke the call off: REFUSED_STREAM"), Away: true}},
		"cancelled": {func(p *peer, id uint32) { _ = p.WriteRSTStream(id, http2.ErrCodeCancel) },
			Error{Status: status.New(codes.Canceled, "the server broke the call off: CANCEL"), Sent: true}},
		"calmed": {func(p *peer, id uint32) { _ = p.WriteRSTStream(id, http2.ErrCodeEnhanceYourCalm) },
			Error{Status: status.New(codes.ResourceExhausted, "the server broke the call off: ENHANCE_YOUR_CALM"), Sent: true}},
		"failed": {func(p *peer, id uint32) { _ = p.WriteRSTStream(id, http2.ErrCodeInternal) },
			Error{Status: status.New(codes.Internal, "the server broke the call off: INTERNAL_ERROR"), Sent: true}},
	} {
		t.Run(name, func(t *testing.T) {
			conn := serve(t, func(p *peer) {
				p.greet()
				id, _ := p.call()
				c.answer(p, id)
				id, _ = p.call()
				p.answer(id, "next")
			})
			reply, err := conn.Call(t.Context(), request("", time.Minute))
			if err == nil {
				t.Fatalf("answered %q", reply)
			}
			if !proto.Equal(err.Status.Proto(), c.want.Status.Proto()) || err.Sent != c.want.Sent || err.Away != c.want.Away {
				t.Errorf("got %v, %+v; want %v, %+v", err.Status, err, c.want.Status, c.want)
			}
			says(t, conn, request("", time.Minute), "next") // on the same connection
		})
	}
}

// TestWhatEndsAConnectionFailsTheCallThatIsOutAndNoOther: the next goes over a new one.
func TestWhatEndsAConnectionFailsTheCallThatIsOutAndNoOther(t *testing.T) {
	for name, end := range map[string]func(p *peer, id uint32){
		"lost": func(p *peer, _ uint32) { _ = p.Close() },
		"pushed to": func(p *peer, id uint32) {
			_ = p.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, EndHeaders: true})
		},
		"headers that lie": func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0xff, 0xff, 0xff}, EndHeaders: true})
		},
		"too wide a window": func(p *peer, _ uint32) { _ = p.WriteWindowUpdate(0, windowMax) },
		"too long a frame":  func(p *peer, id uint32) { _ = p.WriteData(id, false, make([]byte, frameBytesMax+1)) },
		"headers whose padding is too long": func(p *peer, id uint32) {
			_ = p.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersPadded, id, []byte{status200, status200})
		},
		"headers without the priority they promise": func(p *peer, id uint32) {
			_ = p.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersPriority, id, []byte{status200, status200})
		},
		"headers of no stream": func(p *peer, _ uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{BlockFragment: []byte{status200}, EndHeaders: true})
		},
		"headers among headers": func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{status200}})
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{status200}, EndHeaders: true})
		},
		"data among headers": func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{status200}})
			_ = p.WriteData(id, false, nil)
		},
		"a continuation of nothing": func(p *peer, id uint32) { _ = p.WriteContinuation(id, true, []byte{status200}) },
		"a continuation of another stream": func(p *peer, id uint32) {
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{status200}})
			_ = p.WriteContinuation(id+2, true, []byte{status200})
		},
		"too long headers": func(p *peer, id uint32) {
			block := bytes.Repeat([]byte{status200}, frameBytesMax+1)
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true})
		},
		"headers that break off": func(p *peer, id uint32) {
			block := p.encode("x", "y")
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:len(block)-1], EndHeaders: true})
		},
		"headers for ever": func(p *peer, id uint32) {
			block := p.encode("x", strings.Repeat("y", 10_000))
			_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block})
			for range 20 {
				_ = p.WriteContinuation(id, false, p.encode("x", strings.Repeat("y", 10_000)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(p *peer) {
				p.greet()
				id, _ := p.call()
				end(p, id)
			}, echo)
			_, err := c.Call(t.Context(), request("", time.Minute))
			if err == nil || !err.Away || !err.Sent || err.Status.Code() != codes.Unavailable {
				t.Errorf("%+v", err)
			}
			says(t, c, request("next", time.Minute), "next")
		})
	}
}

func TestWhereNobodyIsCallsFailAtOnce(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		p.call()
		_ = p.Close()
	})
	if _, err := c.Call(t.Context(), request("", time.Minute)); err == nil || !err.Away || !err.Sent {
		t.Errorf("%+v", err)
	}
	for range 3 {
		_, err := c.Call(t.Context(), request("", time.Minute))
		if err == nil || !err.Away || err.Sent || err.Status.Code() != codes.Unavailable {
			t.Errorf("%+v", err)
		}
	}
	if c.Ready() {
		t.Error("it is ready, and nobody is there")
	}
}

func TestACallThatIsLateIsLetGoAndItsAnswerToo(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		first, _ := p.call()
		if f := p.until(isReset); f == nil || f.Header().StreamID != first {
			t.Errorf("it was not cancelled: %v", f)
		}
		p.answer(first, "late")
		second, _ := p.call()
		p.answer(first, "later still") // with headers that the next ones refer to
		p.answer(second, "in time")
	})
	_, err := c.Call(t.Context(), request("", time.Millisecond))
	if err == nil || err.Status.Code() != codes.DeadlineExceeded || !err.Sent {
		t.Errorf("%+v", err)
	}
	says(t, c, request("", time.Minute), "in time")
}

// TestACallThatTheServerEndsAtItsDeadlineIsLate, whichever side is first to see it.
func TestACallThatTheServerEndsAtItsDeadlineIsLate(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		for id, _ := p.call(); id != 0; id, _ = p.call() {
			left, _ := time.ParseDuration(strings.Replace(p.fields["grpc-timeout"], "u", "us", 1))
			time.Sleep(left)
			_ = p.WriteRSTStream(id, http2.ErrCodeCancel)
		}
	})
	for range 50 {
		_, err := c.Call(t.Context(), request("", 2*time.Millisecond))
		if err == nil || err.Status.Code() != codes.DeadlineExceeded || !err.Sent {
			t.Errorf("%+v", err)
		}
	}
}

func TestCloseAndTheCallersEndEndWhatIsOut(t *testing.T) {
	for _, byClose := range []bool{false, true} {
		arrived := make(chan struct{})
		c := serve(t, func(p *peer) {
			p.greet()
			p.call()
			close(arrived)
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan *Error)
		go func() { _, err := c.Call(ctx, request("", time.Minute)); ended <- err }()
		<-arrived
		if byClose {
			c.Close()
		} else {
			cancel()
		}
		if err := <-ended; err == nil || !err.Sent || err.Away != byClose {
			t.Errorf("%+v", err)
		}
		cancel()
	}
}

// TestAServerThatGoesIsLeft: what it did not look at was not sent, and what it did is
// answered. The next call goes over a new connection.
func TestAServerThatGoesIsLeft(t *testing.T) {
	for _, looked := range []bool{false, true} {
		t.Run(fmt.Sprint(looked), func(t *testing.T) {
			c := serve(t, func(p *peer) {
				p.greet()
				id, _ := p.call()
				last := id
				if !looked {
					last = 0
				}
				_ = p.WriteGoAway(last, http2.ErrCodeNo, nil)
				if looked {
					p.answer(id, "still")
				}
			}, echo)
			if looked {
				says(t, c, request("", time.Minute), "still")
			} else if _, err := c.Call(t.Context(), request("", time.Minute)); err == nil || err.Sent || !err.Away {
				t.Errorf("%+v", err)
			}
			says(t, c, request("next", time.Minute), "next")
		})
	}
}

// TestASilentServerIsGivenUp, and not one that only does not answer.
func TestASilentServerIsGivenUp(t *testing.T) {
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var ended atomic.Int64
			c := serve(t, func(p *peer) {
				p.greet()
				for {
					f := p.until(func(http2.Frame) bool { return true })
					if ping, ok := f.(*http2.PingFrame); ok && !silent {
						_ = p.WritePing(true, ping.Data)
					}
					if f == nil {
						ended.Store(int64(time.Since(began)))
						return
					}
				}
			}, echo)
			for range 9 {
				if _, err := c.Call(t.Context(), request("", 2*time.Second)); (err == nil) != (silent && ended.Load() > 0) {
					t.Errorf("after %s: %+v", time.Since(began), err)
				}
				synctest.Wait()
			}
			after := time.Duration(ended.Load())
			if silent != (after > 0) || after > silenceMax+4*time.Second {
				t.Errorf("silent %t: the connection ended after %s", silent, after)
			}
		})
	}
}

func TestAConnectionWhoseNumbersAreUsedUpIsReplaced(t *testing.T) {
	c := serve(t, echo, echo)
	says(t, c, request("a", time.Minute), "a")
	link := c.now().link
	link.mu.Lock()
	link.nextID = streamIDMax + 2
	link.mu.Unlock()
	says(t, c, request("b", time.Minute), "b")
	if c.now().link == link {
		t.Error("it goes on")
	}
}

// TestALinkThatIsGoneTakesNoCall: it is not sent, and waits for the next link.
func TestALinkThatIsGoneTakesNoCall(t *testing.T) {
	c := serve(t, echo)
	says(t, c, request("", time.Minute), "")
	link := c.now().link
	link.end(errDrained)
	if _, _, taken := link.call(t.Context(), nil, request("", time.Minute)); taken {
		t.Error("it was taken")
	}
}

// TestTheConnectionsWindowIsGivenBack, also for what comes of calls that were let go.
func TestTheConnectionsWindowIsGivenBack(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		id, _ := p.call()
		for range 2 * connectionWindowBytes / frameBytesMax {
			_ = p.WriteData(id+2, false, make([]byte, frameBytesMax))
		}
		for range 4 {
			f, ok := p.until(isUpdate).(*http2.WindowUpdateFrame)
			if !ok || f.StreamID != 0 || f.Increment != connectionWindowBytes/2 {
				t.Errorf("the window grows by %v", f)
			}
		}
		p.answer(id, "yes")
	})
	says(t, c, request("", time.Minute), "yes")
}

// TestHeadersMayHavePaddingAndAPriority, and come in pieces then too.
func TestHeadersMayHavePaddingAndAPriority(t *testing.T) {
	c := serve(t, func(p *peer) {
		p.greet()
		for _, padding := range []uint8{0, 1, 255} {
			for _, priority := range []http2.PriorityParam{{}, {StreamDep: 5, Weight: 7}} {
				send := func(id uint32, ends bool, block []byte) {
					_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:1], EndStream: ends, PadLength: padding, Priority: priority})
					_ = p.WriteContinuation(id, true, block[1:])
				}
				id, _ := p.call()
				send(id, false, p.encode(begins...))
				_ = p.WriteData(id, false, prefixed("yes"))
				send(id, true, p.encode("grpc-status", "0"))
			}
		}
	})
	for range 6 {
		says(t, c, request("", time.Minute), "yes")
	}
}

// TestHeadersAreReadAsTheFramerReadsThem, whatever their flags are, with up to ten bytes
// and every length of padding that these may have, and one more.
func TestHeadersAreReadAsTheFramerReadsThem(t *testing.T) {
	var sent bytes.Buffer
	w := http2.NewFramer(&sent, nil)
	for flags := range 256 {
		for length := range 11 {
			for padding := range length + 2 {
				payload := []byte{byte(padding), 1, 2, 3, 4, 5, 6, 7, 8, 9}[:length]
				sent.Reset()
				_ = w.WriteRawFrame(http2.FrameHeaders, http2.Flags(flags), 1, payload)
				want, wantErr := http2.NewFramer(nil, bytes.NewReader(sent.Bytes())).ReadFrame()
				l := link{in: http2.NewFramer(nil, &sent)}
				got, err := l.next()
				switch {
				case err != nil || wantErr != nil:
					if (err != nil) != (wantErr != nil) {
						t.Fatalf("flags %#x, %v: the error is %v, and should be %v", flags, payload, err, wantErr)
					}
				case got.Header() != want.Header() || !bytes.Equal(fragment(got), fragment(want)):
					t.Fatalf("flags %#x, %v: %v with %v, and should be %v with %v", flags, payload, got, fragment(got), want, fragment(want))
				}
			}
		}
	}
}

func fragment(f http2.Frame) []byte {
	if data, ok := f.(*http2.DataFrame); ok {
		return data.Data()
	}
	return f.(*http2.HeadersFrame).HeaderBlockFragment()
}

// TestACallAllocatesItsTimeout, and nothing else.
func TestACallAllocatesItsTimeout(t *testing.T) {
	c := serve(t, recite)
	call := request("x", time.Minute)
	says(t, c, call, "yes")
	if n := testing.AllocsPerRun(1000, func() { says(t, c, call, "yes") }); n > 1 {
		t.Errorf("%v allocations a call", n)
	}
}

// BenchmarkCall is a whole call, to a server that allocates nothing.
func BenchmarkCall(b *testing.B) {
	c := serve(b, recite)
	call := request("x", time.Minute)
	says(b, c, call, "yes")
	b.ReportAllocs()
	for b.Loop() {
		call.Until = time.Now().Add(2 * time.Second) // as commands have it: in eight digits and letters
		if _, err := c.Call(b.Context(), call); err != nil {
			b.Fatal(err.Status)
		}
	}
}

// FuzzServer: whatever a server sends, a call ends, and nothing panics or is kept.
func FuzzServer(f *testing.F) {
	var sent strings.Builder
	p := &peer{t: f}
	p.Framer = http2.NewFramer(&sent, nil)
	p.encoder = newEncoder(p)
	p.answer(1, "yes")
	_ = p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	_ = p.WriteGoAway(0, http2.ErrCodeNo, nil)
	f.Add([]byte(sent.String()))
	sent.Reset()
	padded := http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.encode(begins...), PadLength: 3}
	_ = p.WriteHeaders(padded)
	_ = p.WriteContinuation(1, true, p.encode("x", "y"))
	padded.Priority.Weight, padded.EndStream, padded.EndHeaders = 1, true, true
	_ = p.WriteHeaders(padded)
	f.Add([]byte(sent.String()))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		greeted := make(chan struct{})
		c := serve(t, func(p *peer) {
			p.greet()
			close(greeted)
			_, _ = p.out.Write(sent)
		})
		<-greeted // else the call may be late before there is a connection
		if reply, err := c.Call(t.Context(), request("x", 5*time.Millisecond)); err == nil && len(reply) > 1000 {
			t.Errorf("an answer of %d bytes", len(reply))
		}
	})
}

// status200 is ":status 200" in a block of headers; as a length of padding it is 136.
const status200 = 0x88

func isData(f http2.Frame) bool { _, is := f.(*http2.DataFrame); return is }

func isUpdate(f http2.Frame) bool { _, is := f.(*http2.WindowUpdateFrame); return is }

func isPing(f http2.Frame) bool { _, is := f.(*http2.PingFrame); return is }

func isReset(f http2.Frame) bool { _, is := f.(*http2.RSTStreamFrame); return is }
