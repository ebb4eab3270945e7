package sidecar

import (
	"context"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestATCPConnectionEndsWhereNobodyAcknowledges(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := Config{Target: "tcp:" + listener.Addr().String()}.ofLane().Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	if failed := raw.Control(func(fd uintptr) { ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	if int64(ms) != unackedMax.Milliseconds() {
		t.Errorf("it waits %d ms", ms)
	}
}
