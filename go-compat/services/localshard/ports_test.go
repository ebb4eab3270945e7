package localshard

import (
	"net"
	"testing"
)

// TestAPortIsNeverGivenToTwo keeps every port unused, as the time between choosing
// one and listening on it does.
func TestAPortIsNeverGivenToTwo(t *testing.T) {
	given := make(map[string]bool)
	for range 500 {
		addr, err := FreeAddr()
		if err != nil {
			t.Fatal(err)
		}
		if given[addr] {
			t.Fatalf("%s was handed out twice", addr)
		}
		given[addr] = true
	}
}

func TestOutgoingConnectionsNeverTakeAGivenPort(t *testing.T) {
	addr, err := FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if first := portsFrom + portsBelowEphemeral(); at.Port >= first {
		t.Errorf("port %d is one that the kernel gives to outgoing connections, %d and up", at.Port, first)
	}
}
