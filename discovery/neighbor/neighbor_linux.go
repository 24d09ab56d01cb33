package neighbor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"camcensus/discovery"
)

// tick is the unit of the table's ages: USER_HZ is 100 on every system that
// Linux runs on today.
const tick = 10 * time.Millisecond

const (
	living        = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE
	receiveBuffer = 1 << 20
	pauseBetween  = time.Second
)

func table() ([]entry, error) {
	list, err := netlink.NeighList(0, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("read the neighbour table: %w", err)
	}
	out := make([]entry, 0, len(list))
	for _, n := range list {
		if e, ok := read(n); ok {
			out = append(out, e)
		}
	}
	return out, nil
}

func read(n netlink.Neigh) (entry, bool) {
	ip, ok := netip.AddrFromSlice(n.IP)
	if !ok || n.State&living == 0 || n.Flags&netlink.NTF_PROXY != 0 {
		return entry{}, false
	}
	return entry{index: n.LinkIndex, ip: ip.Unmap(), mac: n.HardwareAddr, confirmed: time.Duration(n.Confirmed) * tick}, true
}

// watch passes on what the kernel confirms until ctx ends. A burst of changes
// can overflow the socket, which ends the subscription: it is made again, and
// the next cycle's table shows what was missed.
func watch(ctx context.Context, log *zap.Logger, f func(entry)) error {
	for ctx.Err() == nil {
		if err := watchOnce(ctx, f); err != nil {
			return err
		}
		if ctx.Err() == nil {
			log.Debug("neighbour table subscription made again")
		}
		_ = discovery.Sleep(ctx, pauseBetween)
	}
	return nil
}

func watchOnce(ctx context.Context, f func(entry)) error {
	updates, done := make(chan netlink.NeighUpdate, 64), make(chan struct{})
	err := netlink.NeighSubscribeWithOptions(updates, done, netlink.NeighSubscribeOptions{
		ReceiveBufferSize: receiveBuffer,
	})
	if err != nil {
		return fmt.Errorf("neighbor: subscribe to the neighbour table: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { close(done) })
	for u := range updates {
		if u.Type == unix.RTM_NEWNEIGH && u.State&netlink.NUD_REACHABLE != 0 {
			if e, ok := read(u.Neigh); ok {
				f(e)
			}
		}
	}
	if stop() {
		close(done)
	}
	return nil
}
