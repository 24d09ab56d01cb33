package listen

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

func TestListenHearsADevicePluggedInAndSendsNothing(t *testing.T) {
	site, err := lab.Load(strings.NewReader(`
name: quiet
segments: [{name: lan, prefix: 10.77.0.0/24}]
devices:
  - {name: router, kind: router, ip: 10.77.0.1}
  - {name: late, kind: hikvision-camera, ip: 10.77.0.31}
`))
	if err != nil {
		t.Fatal(err)
	}
	running, err := lab.Segment(t.Context(), lab.SegmentOptions{Site: site})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if err := running.Unplug("late"); err != nil {
		t.Fatal(err)
	}
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wire := discovery.NewWire(scope, discovery.WireOptions{ListenOnly: true})
	source, err := Protocol.New(discovery.Env{Wire: wire.For(name), Log: zap.NewNop(), Now: time.Now}, Protocol.Settings())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	kinds := map[string]string{}
	var listening sync.WaitGroup
	listening.Go(func() {
		err := source.Listen(ctx, func(s discovery.Sighting) {
			mu.Lock()
			defer mu.Unlock()
			if s.IP == netip.MustParseAddr("10.77.0.31") {
				kinds[s.Kind] = s.MAC.String()
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	time.Sleep(200 * time.Millisecond)
	running.Forget()
	if err := running.Plug("late"); err != nil {
		t.Fatal(err)
	}
	late, _ := site.Device("late")
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		mu.Lock()
		n := len(kinds)
		mu.Unlock()
		if n >= 2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	listening.Wait()
	if kinds["arp"] != late.HardwareAddr().String() || kinds["wsd"] != late.HardwareAddr().String() {
		t.Errorf("heard %v", kinds)
	}
	if st := source.Status(); len(st) != 1 || !st[0].Up || st[0].Interface != "cam0" {
		t.Errorf("status %+v", st)
	}
	for _, f := range running.Captured() {
		if f.Sent && (f.EtherType == 0x0806 || f.Protocol == 17 || f.Protocol == 6) {
			t.Errorf("sent %x", f.Raw)
		}
	}
}
