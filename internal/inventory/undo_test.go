package inventory

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// wordy is a device that says as much as is kept of one, and who it is last.
func (s *site) wordy(addr, hw, serial string) string {
	s.t.Helper()
	for port := range 6 {
		var said []string
		for n := range 10 {
			said = append(said, fmt.Sprintf("field%d", n), addr+" "+strconv.Itoa(port*10+n))
		}
		s.see(addr, hw, ev("http", 8000+port, said...)...)
	}
	id := s.see(addr, hw, ev("isapi", 80, "serial", serial, "model", "model of "+addr)...).Device
	s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Serial: serial},
		[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Banned}}, s.clock.now())
	return id
}

// TestASplitGivesBothBackWhatTheyHad: a merged device has room for less than
// its two had, and what persons said of one then stands for both.
func TestASplitGivesBothBackWhatTheyHad(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	a := s.wordy("10.0.0.1", macA, "DS-1AAWR111111111")
	s.clock.pass(1)
	b := s.wordy("10.0.0.2", macB, "DS-2AAWR222222222")
	for _, err := range []error{
		s.Annotate(a, AnnotationPatch{Location: ptr("Lobby")}, "alice"),
		s.Annotate(b, AnnotationPatch{Note: ptr("spare")}, "alice"),
		s.Determine(b, &Determination{Manufacturer: "Axis", Basis: "label"}, "bob"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, policyName := range []string{"stays", "withdrawn"} {
		if _, err := s.Except(b, Exception{Policy: policyName, Owner: "o", Reason: "r", By: "alice", Expires: start.AddDate(1, 0, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{a: s.values(a), b: s.values(b)}
	s.end(lan)
	if kept, err := s.Merge(a, b, "one housing", "alice"); err != nil || kept != a {
		t.Fatal(kept, err)
	}
	s = reopen(t, s, o)
	if s.undo[b].forms != nil {
		t.Error("what undoes a merge is held in memory")
	}
	s.see("10.0.0.1", macA, ev("rtsp", 554, "server", "since then")...)
	if d := s.device(a); d.Determination == nil || len(d.Exceptions) != 2 {
		t.Fatalf("%+v", d)
	}
	if err := s.Unexcept(a, "withdrawn", "alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.Split(b, "two", "alice"); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, o)
	if got, want := s.values(a), said[a]+" since then"; got != want {
		t.Errorf("the one that lived on says\n%s\nit said before\n%s", got, want)
	}
	if got := s.values(b); got != said[b] {
		t.Errorf("the other says\n%s\nit said before\n%s", got, said[b])
	}
	da, db := s.device(a), s.device(b)
	if da.Serial != "DS-1AAWR111111111" || db.Serial != "DS-2AAWR222222222" {
		t.Errorf("serials %q and %q", da.Serial, db.Serial)
	}
	if da.Determination != nil || len(da.Exceptions) != 0 || da.Annotations != (Annotations{Location: "Lobby"}) {
		t.Errorf("%+v %+v %+v", da.Determination, da.Exceptions, da.Annotations)
	}
	if db.Determination == nil || len(db.Exceptions) != 1 || db.Exceptions[0].Policy != "stays" || db.Annotations != (Annotations{Note: "spare"}) {
		t.Errorf("%+v %+v %+v", db.Determination, db.Exceptions, db.Annotations)
	}
}

// TestMergesAreUndoneInAnyOrder: b went into a, a into c; b is taken out of
// the whole first.
func TestMergesAreUndoneInAnyOrder(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	ids := map[string]string{}
	for _, host := range [][2]string{{"10.0.0.3", macC}, {"10.0.0.1", macA}, {"10.0.0.2", macB}} {
		ids[host[1]] = s.see(host[0], host[1], ev("http", 80, "server", host[0])...).Device
		s.clock.pass(1)
	}
	for _, pair := range [][3]string{{macA, macB, macA}, {macA, macC, macC}} {
		if kept, err := s.Merge(ids[pair[0]], ids[pair[1]], "r", "alice"); err != nil || kept != ids[pair[2]] {
			t.Fatal(kept, err)
		}
	}
	for _, hw := range []string{macB, macA} {
		if err := s.Split(ids[hw], "r", "alice"); err != nil {
			t.Fatal(err)
		}
	}
	for addr, hw := range map[string]string{"10.0.0.1": macA, "10.0.0.2": macB, "10.0.0.3": macC} {
		if d := s.device(ids[hw]); len(d.MACs) != 1 || d.MACs[0] != hw || len(d.IPs) != 1 || d.IPs[0] != addr || s.values(d.ID) != addr {
			t.Errorf("%s: %v %v %q", addr, d.IPs, d.MACs, s.values(d.ID))
		}
		if got := s.see(addr, hw).Device; got != ids[hw] {
			t.Errorf("%s is %s, was %s", addr, got, ids[hw])
		}
	}
}

func TestOnlySoManyMergesCanBeUndone(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	var gone []string
	kept := s.see("", macA).Device
	for n := range maxUndo + 1 {
		s.clock.pass(1)
		id := s.see("", fmt.Sprintf("3c:ef:8c:20:%02x:%02x", n>>8, n&255)).Device
		s.mu.Lock()
		s.mergeInto(s.devices[kept], s.devices[id], s.clock.now(), "alice", "r")
		s.devices[kept].macs = s.devices[kept].macs[:1] // a recorder has not so many
		s.mu.Unlock()
		gone = append(gone, id)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	var stored int
	if err := s.store.read.QueryRow("SELECT count(*) FROM merges").Scan(&stored); err != nil || stored != len(s.undo) || stored > maxUndo {
		t.Errorf("%d merges stored, %d known, %v", stored, len(s.undo), err)
	}
	if err := s.Split(gone[0], "r", "alice"); !errors.Is(err, ErrInvalid) {
		t.Errorf("the oldest: %v", err)
	}
	if err := s.Split(gone[maxUndo], "r", "alice"); err != nil {
		t.Errorf("the latest: %v", err)
	}
}
