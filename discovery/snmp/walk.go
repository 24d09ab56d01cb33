package snmp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gosnmp/gosnmp"

	"camcensus/discovery"
)

// Bounds of one walk. A table of 65,536 rows needs 2,622 answers of 25.
const (
	repetitions = 25
	retries     = 1
)

// MaxRequests bounds what one device is asked in one cycle, repeats included.
const MaxRequests = 20_000

var errEnough = errors.New("enough rows")

// walk reads every column of one device. Columns that it does not have stay
// empty. The library opens its own socket, so every request is charged before
// it leaves.
func (s *Source) walk(ctx context.Context, r router) (tables, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	client := &gosnmp.GoSNMP{
		Context: ctx, Target: r.ip.String(), Port: r.Port, Transport: "udp", Timeout: s.settings.Timeout, Retries: retries,
		MaxRepetitions: repetitions, ExponentialTimeout: false, MaxOids: gosnmp.MaxOids,
	}
	if err := r.secrets.apply(r.Version, client); err != nil {
		return nil, err
	}
	sent := 0
	client.PreSend = func(*gosnmp.GoSNMP) {
		if sent++; sent > MaxRequests {
			end(fmt.Errorf("more than %d requests", MaxRequests))
			return
		}
		if err := s.charge(ctx, r); err != nil {
			end(err)
		}
	}
	if err := client.Connect(); err != nil {
		return nil, err
	}
	defer client.Conn.Close()
	t := tables{}
	for _, column := range columns {
		err := client.BulkWalk(column, func(v gosnmp.SnmpPDU) error {
			if !t.take(column, v) {
				return errEnough
			}
			return ctx.Err()
		})
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return t, nil
}

// take keeps a value of one of the two types that the columns have.
func (t tables) take(column string, v gosnmp.SnmpPDU) bool {
	switch v.Type {
	case gosnmp.OctetString:
		b, ok := v.Value.([]byte)
		return !ok || len(b) > 1024 || t.add(column, v.Name, b, 0)
	case gosnmp.Integer, gosnmp.Gauge32, gosnmp.Uinteger32:
		n := gosnmp.ToBigInt(v.Value)
		return !n.IsInt64() || t.add(column, v.Name, nil, n.Int64())
	}
	return true
}

func (s *Source) charge(ctx context.Context, r router) error {
	return s.env.Wire.Charge(ctx, 1, discovery.Packet{
		Protocol: discovery.WalkProtocol, To: netip.AddrPortFrom(r.ip, r.Port).String(), Note: "tables, by GETBULK",
	})
}

// await waits until a router on a connected network was sighted: nobody is
// addressed there before.
func (s *Source) await(ctx context.Context, ip netip.Addr) error {
	n, ok := s.env.Wire.Scope().NetworkOf(ip)
	if !ok {
		return fmt.Errorf("%s: %w (add it to networks)", ip, discovery.ErrOutOfScope)
	}
	if why, no := s.env.Wire.Scope().Excluded(ip); no {
		return fmt.Errorf("%s: %w (%s)", ip, discovery.ErrExcluded, why)
	}
	for begun := time.Now(); n.Connected && !s.env.Wire.IsSighted(ip) && !s.env.Wire.Planning(); {
		if time.Since(begun) > sightedWait {
			return fmt.Errorf("%s: %w: it is asked in the next cycle", ip, discovery.ErrNotSighted)
		}
		if err := discovery.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
