package program

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASocketThatAProcessLeftBehindIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as a process does that is killed
	dead.Close()

	listener, err := Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o660 {
		t.Errorf("mode %o, want 660", mode)
	}
}

func TestAnAddressInUseIsRefused(t *testing.T) {
	for _, addr := range []string{"unix:" + filepath.Join(t.TempDir(), "s.sock"), "tcp:127.0.0.1:0"} {
		listener, err := Listen(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if listener.Addr().Network() == "tcp" {
			addr = listener.Addr().String()
		}
		if _, err := Listen(t.Context(), addr); exitCode(err, 0) != ExitLocked || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v, want a refusal with code %d", addr, err, ExitLocked)
		}
	}
}

func TestAllAddressesAreListenedOnOrNone(t *testing.T) {
	free := "unix:" + filepath.Join(t.TempDir(), "s.sock")
	if _, err := ListenAll(t.Context(), free, "unix:/nowhere/s.sock"); err == nil {
		t.Fatal("it listens where there is no directory")
	}
	listeners, err := ListenAll(t.Context(), free, "127.0.0.1:0")
	if err != nil || len(listeners) != 2 {
		t.Fatalf("%v, %v; want both, the first of them free again", listeners, err)
	}
	CloseAll(listeners)
}

func TestAFileThatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "unix:"+path); exitCode(err, ExitOK) != ExitSettings {
		t.Errorf("%v, want a refusal with code %d", err, ExitSettings)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("it is gone")
	}
}

func TestASocketWithoutADirectoryIsOfTheSettings(t *testing.T) {
	_, err := Listen(t.Context(), "unix:"+filepath.Join(t.TempDir(), "nodir", "s.sock"))
	if exitCode(err, ExitOK) != ExitSettings || !strings.Contains(err.Error(), "make the socket's directory") {
		t.Errorf("%v, want code %d and what to do", err, ExitSettings)
	}
}

func TestAddressesAreReadInOneWay(t *testing.T) {
	for addr, want := range map[string]string{
		"unix:/run/s.sock": "unix:/run/s.sock", "tcp:host:1": "tcp:host:1", "host:1": "tcp:host:1", "[::1]:1": "tcp:[::1]:1",
	} {
		if got := Target(addr); got != want || !Address().Allows(addr) {
			t.Errorf("%s: %q, want it allowed, as %q", addr, got, want)
		}
	}
	for _, addr := range []string{"unix:", "unix:" + strings.Repeat("x", 108), "host", "http://host", "host:x", "host:65536"} {
		if Address().Allows(addr) {
			t.Errorf("%q is allowed", addr)
		}
	}
}
