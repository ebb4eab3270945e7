package localshard

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// Ports are handed out from below the range from which the kernel picks the local
// end of outgoing connections: a port of that range that is free now can be
// anybody's before the program that it was chosen for listens on it.
const (
	portsFrom          = 10_000
	portsLeast         = 1_000
	ephemeralPortsFile = "/proc/sys/net/ipv4/ip_local_port_range"
	ephemeralFrom      = 32_768 // Linux's own choice, where the file does not say
)

// nextPort counts the ports that this process has looked at, so that no two shards
// of it get one port. It begins where the process id says: two processes that test
// at the same time look at different ones.
var nextPort atomic.Uint32

func init() { nextPort.Store(uint32(os.Getpid()) * 1024) }

// FreeAddr is a loopback address that nobody listens on, and that this process
// hands out once.
func FreeAddr() (string, error) {
	count := portsBelowEphemeral()
	var last error
	for range count {
		port := portsFrom + int(nextPort.Add(1))%count
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, listener.Close()
		}
		last = err
	}
	return "", fmt.Errorf("none of the ports %d to %d is free: %w", portsFrom, portsFrom+count-1, last)
}

// portsBelowEphemeral is how many ports there are to hand out.
func portsBelowEphemeral() int {
	first := ephemeralFrom
	if text, err := os.ReadFile(ephemeralPortsFile); err == nil {
		fmt.Sscan(string(text), &first)
	}
	if first-portsFrom < portsLeast { // the kernel uses nearly all: then a port may be taken after all
		first = ephemeralFrom
	}
	return first - portsFrom
}
