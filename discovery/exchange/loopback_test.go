//go:build linux

package exchange_test

import (
	"testing"

	"camcensus/discovery"
)

func TestBroadcastReachesTheDemosDevicesOnLoopback(t *testing.T) {
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{Interfaces: []string{"lo"}, Networks: []string{"127.77.0.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	hear, say := listenReuse(t, "udp4", "0.0.0.0:2380"), listenReuse(t, "udp4", "127.77.0.5:2380")
	defer hear.Close()
	defer say.Close()
	host := speaker{answer: func([]byte) []byte { return fixture(t, "native", "sony.bin") }}
	go host.converse(hear, say, 0)
	found := ask(t, protocol(t, "sony"), discovery.NewWire(scope, discovery.WireOptions{}))
	if len(found.of("sony", "127.77.0.5")) != 1 {
		t.Fatalf("found %+v", found.list)
	}
}
