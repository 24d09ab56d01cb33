package agent

import (
	"context"
	"sync"
	"sync/atomic"

	"camcensus/exporter"
	"camcensus/internal/inventory"
)

// broadcaster delivers changes to the live streams. A slow one loses messages.
type broadcaster struct {
	mu       sync.Mutex
	to       map[chan exporter.StreamEvent]struct{}
	watching atomic.Int32
}

func newBroadcaster() *broadcaster {
	return &broadcaster{to: map[chan exporter.StreamEvent]struct{}{}}
}

// streamBacklog is how many messages one stream may lag behind.
const streamBacklog = 64

func (b *broadcaster) subscribe(ctx context.Context) <-chan exporter.StreamEvent {
	ch := make(chan exporter.StreamEvent, streamBacklog)
	b.mu.Lock()
	b.to[ch] = struct{}{}
	b.mu.Unlock()
	b.watching.Add(1)
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.to, ch)
		close(ch)
		b.watching.Add(-1)
	})
	return ch
}

func (b *broadcaster) watched() bool { return b.watching.Load() > 0 }

func (b *broadcaster) send(e exporter.StreamEvent) {
	if !b.watched() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.to {
		select {
		case ch <- e:
		default:
		}
	}
}

func (b *broadcaster) device(d inventory.Device) {
	b.send(exporter.StreamEvent{Type: "device", Data: d})
}
func (b *broadcaster) status() { b.send(exporter.StreamEvent{Type: "status"}) }
func (b *broadcaster) progress(p exporter.Progress) {
	b.send(exporter.StreamEvent{Type: "progress", Data: p})
}
