package sidecar

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unackedMax is how long sent bytes may go unacknowledged over TCP.
const unackedMax = time.Second

// unacked ends a TCP connection whose peer is gone without a word. It is a
// [net.Dialer]'s Control, and of a Unix socket it changes nothing.
func unacked(network, _ string, conn syscall.RawConn) (err error) {
	if network == "unix" {
		return nil
	}
	failed := conn.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedMax.Milliseconds()))
	})
	if failed != nil {
		return failed
	}
	return err
}
