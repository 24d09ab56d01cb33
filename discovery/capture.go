package discovery

import (
	"context"
	"maps"
	"sync"

	"golang.org/x/net/bpf"

	"camcensus/internal/packet"
)

// Capture is what one source takes in of the links: the frames that pass its
// filter. It keeps the source's health, per interface.
type Capture struct {
	Wire        *Wire
	Health      *Health
	Filter      []bpf.RawInstruction
	Promiscuous bool   // unicast frames between others too
	Remedy      string // what is lost or serves instead where nothing can be captured

	mu   sync.Mutex
	open map[string]*PacketConn // of Listen
	lost map[string]uint64      // frames, of sockets closed since
}

// Open opens the capture of one interface and says whether it could.
func (c *Capture) Open(i Interface) (*PacketConn, error) {
	conn, err := c.Wire.OpenPacket(i.Name, c.Filter, c.Promiscuous)
	if err != nil {
		c.Health.Down(i.Name, err, c.Remedy)
		return nil, err
	}
	c.Health.Up(i.Name)
	return conn, nil
}

// Listen captures on every link in scope until ctx ends; what cannot be opened
// is tried again. begin returns who takes the frames of an interface.
func (c *Capture) Listen(ctx context.Context, begin func(Interface) func(*packet.Frame, CaptureInfo)) {
	scope := c.Wire.Scope()
	c.Health.Keep(scope.Interfaces)
	var links sync.WaitGroup
	for _, i := range scope.Interfaces {
		if i.Loopback {
			continue
		}
		take := begin(i)
		links.Go(func() {
			Retry(ctx, func() error { return c.hear(ctx, i, take) })
		})
	}
	links.Wait()
}

func (c *Capture) hear(ctx context.Context, i Interface, take func(*packet.Frame, CaptureInfo)) error {
	conn, err := c.Open(i)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c.began(i.Name, conn)
	defer c.ended(i.Name, conn)
	conn.ReadFrames(take)
	return nil
}

func (c *Capture) began(iface string, conn *PacketConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open, c.lost = map[string]*PacketConn{}, map[string]uint64{}
	}
	c.open[iface] = conn
}

func (c *Capture) ended(iface string, conn *PacketConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, iface)
	c.lost[iface] += conn.Stats().Dropped
}

// Dropped counts the frames that Listen lost for want of buffer space, by
// interface.
func (c *Capture) Dropped() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := maps.Clone(c.lost)
	for iface, conn := range c.open {
		out[iface] += conn.Stats().Dropped
	}
	return out
}
