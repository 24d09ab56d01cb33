package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/internal/agent"
	"camcensus/internal/inventory"
)

// TestAnAgentThatDoesNotAnswerIsGivenUp plays one that was stopped: it holds the
// store and its socket, and takes no connection.
func TestAnAgentThatDoesNotAnswerIsGivenUp(t *testing.T) {
	dir, id := stored(t)
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	socket, err := net.Listen("unix", filepath.Join(dir, agent.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	was := patience
	defer func() { patience = was }()
	patience.edit, patience.firstByte = 50*time.Millisecond, 50*time.Millisecond
	for _, c := range []struct {
		args     []string
		status   int
		out, err string
	}{
		{[]string{"inventory", "--storage.path", dir, "annotate", id, "--note", "x"}, exitFailed, "", "the agent does not answer (waited 50ms): the edit may still be made: look at camcensus inventory events before you repeat it"},
		{[]string{"pause", "--storage.path", dir}, exitFailed, "", "the agent does not answer (waited 50ms)"},
		{[]string{"inventory", "--storage.path", dir, "export", "--format", "csv"}, 0, id, "the export is made from the store, without what the agent alone knows"},
	} {
		var out, errs bytes.Buffer
		status := run(c.args, streams{strings.NewReader(""), &out, &errs})
		if status != c.status || !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.err) || strings.Contains(out.String(), "done") {
			t.Errorf("%v: %d, %q, %q", c.args, status, &out, &errs)
		}
	}
}
