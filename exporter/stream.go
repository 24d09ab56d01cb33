package exporter

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	maxStreams      = 64
	streamKeepAlive = 15 * time.Second
	streamPatience  = 30 * time.Second // how long one write may take
)

// serveStream sends changes as server-sent events until the client leaves or
// the exporter closes.
func (x *Exporter) serveStream(w http.ResponseWriter, r *http.Request) {
	select {
	case x.stream <- struct{}{}:
		defer func() { <-x.stream }()
	default:
		w.Header().Set("Retry-After", "30")
		fail(w, http.StatusServiceUnavailable, "busy", fmt.Sprintf("%d streams are open already", maxStreams))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(x.closed, cancel)()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	changes := x.agent.Subscribe(ctx)
	keepAlive := time.NewTicker(streamKeepAlive)
	defer keepAlive.Stop()
	message := "retry: 3000\n\n"
	for {
		_ = out.SetWriteDeadline(time.Now().Add(streamPatience)) // not every writer has one; then the server's own holds
		if _, err := w.Write([]byte(message)); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-keepAlive.C:
			message = ": still here\n\n"
		case change, open := <-changes:
			if !open {
				return
			}
			message = x.streamMessage(change)
		}
	}
}

// streamMessage is one event on the wire; JSON has no raw line ends, so one
// data line holds it.
func (x *Exporter) streamMessage(e StreamEvent) string {
	encoded, err := json.Marshal(e.Data)
	if err != nil {
		return ": an event could not be encoded\n\n"
	}
	return "event: " + cleanLabel(e.Type) + "\ndata: " + string(encoded) + "\n\n"
}
