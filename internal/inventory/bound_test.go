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

// TestADeviceOfManyNamesIsKnownByTheLatest: one that names another endpoint and
// serial each time takes no more room for it.
func TestADeviceOfManyNamesIsKnownByTheLatest(t *testing.T) {
	s := newSite(t, Options{})
	id := s.see("10.0.0.1", macA, ev("isapi", 80, "serial", "DS-2CD20123456789")...).Device
	for n := range 10 * maxKeys {
		s.see("10.0.0.1", macA, ev("wsd", 0, "epr", fmt.Sprintf("urn:uuid:4d696e69-444c-164e-9d41-%012x", n))...)
	}
	s.want(1)
	if e := s.devices[id]; len(e.keys) != maxKeys || len(s.keys) != maxKeys {
		t.Errorf("%d keys of the device, %d in all", len(e.keys), len(s.keys))
	}
	if got := s.see("10.9.0.7", "", ev("isapi", 80, "serial", "DS-2CD20123456789")...).Device; got != id {
		t.Error("its serial no longer names it")
	}
}

// TestIDsOfHostsKnownByAnAddressAreNotHoarded: a host that moves every cycle is
// met at its new address before its MAC is seen there.
func TestIDsOfHostsKnownByAnAddressAreNotHoarded(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	id := s.see("10.7.0.1", macA).Device
	for n := range maxPassing + 100 {
		addr := fmt.Sprintf("10.7.%d.%d", n/250, n%250+2)
		first := s.see(addr, "").Device
		if s.see(addr, macA).Device != id || s.device(first).ID != id {
			t.Fatal("the two are not one device")
		}
		s.end("10.7.0.0/16")
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	var stored int
	if err := s.store.read.QueryRow("SELECT count(*) FROM aliases").Scan(&stored); err != nil || stored != 0 || len(s.alias) > maxPassing {
		t.Errorf("%d ids stored, %d in memory, %v", stored, len(s.alias), err)
	}
}
