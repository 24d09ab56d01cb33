package inventory

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"camcensus/fingerprint"
)

func TestWhatNoRuleLooksAtIsTheFirstToGo(t *testing.T) {
	inv, err := Open(context.Background(), Options{Uses: func(kind, field string) bool { return kind == "wsd" && field == "scope.name" }})
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr("10.0.0.9")
	now := time.Now()
	wsd := fingerprint.Evidence{Source: "wsd", Port: 3702, Field: "scope.name", Value: "NVT", Seen: now}
	port := fingerprint.Evidence{Source: "wsd", Port: 3702, Field: "port.http", Value: "8899", Seen: now}
	seen := inv.Observe(Observation{Time: now, Source: "wsd", IP: ip, Kind: "wsd", Evidence: []fingerprint.Evidence{wsd, port}})
	var many []fingerprint.Evidence
	for n := range 100 {
		many = append(many, fingerprint.Evidence{Source: "onvif", Port: 80, Field: fmt.Sprintf("path.%03d", n), Value: "x", Seen: now.Add(time.Second), Solicited: true})
	}
	inv.Observe(Observation{Time: now.Add(time.Second), IP: ip, Kind: "onvif", Evidence: many, Solicited: true})
	kept := inv.Evidence(seen.Device)
	if len(kept) > 64 {
		t.Errorf("%d items kept, at most 64", len(kept))
	}
	for _, want := range []string{"scope.name", "port.http"} {
		if !slices.ContainsFunc(kept, func(e fingerprint.Evidence) bool { return e.Field == want }) {
			t.Errorf("%s was let go before what no rule looks at", want)
		}
	}
}
