package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// reasoned commits a device with reasons and words that bear a mark.
func (s *site) reasoned(id, verdict, mark string, reasons int) {
	identity := fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Certainty: 0.9}
	for n := range reasons {
		identity.Reasons = append(identity.Reasons, fingerprint.Reason{Source: "http", Port: 80 + n, Field: "server", Value: mark, Rule: "hikvision/app-webs",
			Supports: "Hikvision", Group: "FIRMWARE", Grade: "strong", Seen: s.clock.now(), Text: "Seen: the server’s name, “" + mark + "”. " + strings.Repeat("It means this. ", n)})
	}
	if reasons%3 == 0 {
		identity.Contradictions = []string{"two makers: " + mark}
	}
	s.Commit(id, identity, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Basis: "named", Verb: "use", Measure: "prohibited", Text: mark + " is named"}}, s.clock.now())
}

// letGoOfAll leaves the evidence of every device to the store.
func (s *site) letGoOfAll() {
	s.t.Helper()
	if err := s.Sync(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.warm {
		s.cool(e)
	}
	s.warm = nil
}

// TestDetailsAreWhatDeviceShows: read together and by several at a time, devices
// are what each is alone, in the order that was asked for.
func TestDetailsAreWhatDeviceShows(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), DetailLimit: 1})
	const n = 7*detailsAtOnce + 5
	var ids []string
	for k := range n {
		hw := fmt.Sprintf("44:19:b6:00:%02x:%02x", k>>8, k&255)
		id := s.see(fmt.Sprintf("10.0.%d.%d", k>>8, k&255), hw, ev("http", 80, "server", fmt.Sprint(k))...).Device
		s.reasoned(id, policy.Banned, fmt.Sprintf("mark %d", k%50), k%24)
		ids = append(ids, id)
	}
	s.letGoOfAll()
	for k := 0; k < n; k += 9 { // what awaits the writer is shown, too
		s.reasoned(ids[k], policy.Clear, fmt.Sprintf("later %d", k), 3)
	}
	if _, err := s.Except(ids[4], Exception{Policy: "ca-hikvision-2025", Owner: "a", Reason: "b", Expires: start.AddDate(0, 1, 0), By: "c"}); err != nil {
		t.Fatal(err)
	}
	rand.Shuffle(n, func(a, b int) { ids[a], ids[b] = ids[b], ids[a] })
	asked := slices.Insert(slices.Clone(ids), 40, "d-nobody")
	for range 2 { // what served once serves again
		var got []string
		if err := s.Details(asked, func(d *Device) error { got = append(got, asJSON(t, d)); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != n {
			t.Fatalf("%d devices of %d", len(got), n)
		}
		for k, id := range ids {
			d, _ := s.Device(id)
			if want := asJSON(t, &d); got[k] != want {
				t.Fatalf("device %d:\n%s\nalone it is\n%s", k, got[k], want)
			}
		}
	}
	enough, shown := errors.New("enough"), 0
	err := s.Details(ids, func(*Device) error {
		if shown++; shown == detailsAtOnce+3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || shown != detailsAtOnce+3 {
		t.Errorf("after %d devices: %v", shown, err)
	}
}

func asJSON(t *testing.T, d *Device) string {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDetailsOfAChangingDeviceAreOfOneMoment: reasons are worked out when the
// inventory is no longer held, and are still those of the verdict beside them.
func TestDetailsOfAChangingDeviceAreOfOneMoment(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir(), DetailLimit: 1})
	var ids []string
	for k := range 3 * detailsAtOnce {
		hw := fmt.Sprintf("44:19:b6:00:00:%02x", k)
		ids = append(ids, s.see(fmt.Sprintf("10.0.0.%d", k+1), hw, ev("http", 80, "server", "x")...).Device)
	}
	judge := func(round int) {
		verdict := []string{policy.Banned, policy.Clear}[round%2]
		for _, id := range ids {
			s.reasoned(id, verdict, verdict, 2)
		}
	}
	judge(0)
	s.letGoOfAll()
	var taken details
	taken.take(s.Inventory, ids[:detailsAtOnce])
	judge(1)
	s.letGoOfAll()
	taken.workOut(s.Inventory, new(phrases))
	for n := range taken.devices {
		if err := ofOneMoment(&taken.devices[n]); err != nil || taken.devices[n].Verdicts[0].Verdict != policy.Banned {
			t.Fatalf("changed after it was taken: %v", err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for round := range 60 {
			judge(round)
			s.letGoOfAll()
		}
	}()
	for asking := true; asking; {
		select {
		case <-done:
			asking = false
		default:
		}
		if err := s.Details(ids, ofOneMoment); err != nil {
			t.Fatal(err)
		}
	}
}

func ofOneMoment(d *Device) error {
	v := d.Verdicts[0]
	if len(d.Reasons) != 2 || d.Reasons[0].Value != v.Verdict || d.Reasons[1].Value != v.Verdict || v.Text != v.Verdict+" is named" {
		return fmt.Errorf("%s %q beside %+v", v.Verdict, v.Text, d.Reasons)
	}
	return nil
}

// TestAFaultWhileDevicesAreReadEndsNobody: a panic where several work at a time
// comes to whoever asked, and leaves the inventory free.
func TestAFaultWhileDevicesAreReadEndsNobody(t *testing.T) {
	s := newSite(t, Options{})
	id := s.see("10.0.0.1", macA).Device
	s.see("10.0.0.2", macB)
	s.camera(id, policy.Banned)
	if _, err := s.Except(id, Exception{Policy: "ca-hikvision-2025", Owner: "a", Reason: "b", Expires: start.AddDate(0, 1, 0), By: "c"}); err != nil {
		t.Fatal(err)
	}
	now := s.opt.Now
	s.opt.Now = func() time.Time { panic("no clock") } // a device with an exception needs it
	if err := s.Details([]string{id}, func(*Device) error { return nil }); err == nil || !strings.Contains(err.Error(), "no clock") {
		t.Errorf("details: %v", err)
	}
	func() {
		defer func() {
			if why := recover(); why == nil || !strings.Contains(fmt.Sprint(why), "no clock") {
				t.Errorf("walk: %v", why)
			}
		}()
		s.EachBrief(func(*Device) bool { return true }, func(*Device) bool { return true })
	}()
	s.opt.Now = now
	s.camera(id, policy.Clear) // would wait for ever for one that still holds the inventory
}

// TestWalksShareTheDevicesOut: each gets its part, in order, and all together get
// every device once.
func TestWalksShareTheDevicesOut(t *testing.T) {
	s := newSite(t, Options{})
	var want []string
	for k := range 23 {
		want = append(want, s.see(fmt.Sprintf("10.0.0.%d", k+1), fmt.Sprintf("44:19:b6:00:00:%02x", k)).Device)
	}
	for _, parts := range []int{1, 2, 3, 7, 40} {
		got := make([][]string, parts)
		show := make([]func(*Device) bool, parts)
		showAt := make([]func(*Device, *Where) bool, parts)
		for n := range parts {
			show[n] = func(d *Device) bool { got[n] = append(got[n], d.ID); return true }
			showAt[n] = func(d *Device, at *Where) bool { return len(at.IPs) == 1 && show[n](d) }
		}
		for name, walk := range map[string]func(){"brief": func() { s.EachBrief(show...) }, "at": func() { s.EachAt(showAt...) }} {
			clear(got)
			if walk(); !slices.Equal(slices.Concat(got...), want) {
				t.Errorf("%s in %d parts: %v, want %v", name, parts, got, want)
			}
		}
	}
}

// TestABriefDeviceHasNothingOfTheOneBefore: devices of one kind and of several, of
// which persons said something and of which they did not.
func TestABriefDeviceHasNothingOfTheOneBefore(t *testing.T) {
	s := newSite(t, Options{Hostnames: "all"})
	for k := range 24 {
		id := s.see(fmt.Sprintf("10.0.0.%d", k+1), fmt.Sprintf("44:19:b6:00:00:%02x", k), ev("mdns", 5353, "hostname", fmt.Sprint("host", k%5))...).Device
		if k%2 == 0 || k > 12 {
			s.camera(id, []string{policy.Banned, policy.Clear}[k/4%2])
		}
		var err error
		switch k % 6 {
		case 1:
			err = s.Annotate(id, AnnotationPatch{Location: ptr("Lobby"), Note: ptr("n")}, "alice")
		case 2:
			_, err = s.Except(id, Exception{Policy: "ca-hikvision-2025", Owner: "a", Reason: "b", Expires: start.AddDate(0, 1, 0), By: "c"})
		case 3:
			err = s.Determine(id, &Determination{Manufacturer: "Axis", Basis: "label", By: "bob"}, "bob")
		case 4:
			err = s.Remove(id, "sold", "alice")
		}
		if err != nil {
			t.Fatal(err)
		}
		s.clock.pass(time.Minute)
	}
	var got []Device
	s.EachBrief(func(d *Device) bool { got = append(got, *d); return true })
	for n := range got {
		want, _ := s.Plain(got[n].ID)
		want.IPs, want.MACs, want.Exceptions, want.Reasons, want.Contradictions = nil, nil, nil, nil, nil
		if got[n].Reachability == "" {
			got[n].Reachability = "ip"
		}
		for _, d := range []*Device{&got[n], &want} {
			d.Hostnames, d.Sources, d.Verdicts = none(d.Hostnames), none(d.Sources), none(d.Verdicts)
		}
		if a, b := asJSON(t, &got[n]), asJSON(t, &want); a != b {
			t.Errorf("in brief\n%s\nit is\n%s", a, b)
		}
	}
}

// TestPhrasesAreBounded: a site where no two devices say the same fills no memory.
func TestPhrasesAreBounded(t *testing.T) {
	var p phrases
	for n := range 3 * mostPhrases {
		text := fmt.Sprint("text ", n)
		if got := p.of([]byte(text)); got != text || len(p) > mostPhrases {
			t.Fatalf("%q is %q, of %d", text, got, len(p))
		}
	}
}
