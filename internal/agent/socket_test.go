package agent

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
)

// TestTheSocketComesOnceItCan: its directory cannot take it at the start.
func TestTheSocketComesOnceItCan(t *testing.T) {
	a := &Agent{log: zap.NewNop()}
	path := filepath.Join(t.TempDir(), "later", SocketName)
	open := make(chan net.Listener)
	go func() { open <- a.listenSocket(t.Context(), path, time.Millisecond) }()
	time.Sleep(20 * time.Millisecond)
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l := <-open
	if l == nil {
		t.Fatal("it gave up")
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
