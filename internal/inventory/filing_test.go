package inventory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// answer is a camera's answer with its record, and the judgement by it.
func (s *site) answer(addr, hw, verdict string) string {
	s.t.Helper()
	server := "App-webs/ of " + hw
	seen := s.Observe(Observation{Time: s.clock.now(), Source: "http", IP: ip(addr), MAC: mac(hw), Evidence: ev("http", 80, "server", server),
		Record: discovery.Record{Host: addr, Kind: "http", Port: 80, Path: "/", Raw: "HTTP/1.1 200 OK\r\nServer: " + server + "\r\n\r\n"}})
	s.Commit(seen.Device, fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera,
		Reasons: []fingerprint.Reason{{Source: "http", Port: 80, Field: "server", Value: server, Rule: "hikvision/app-webs"}}},
		[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict}}, s.clock.now())
	return seen.Device
}

// busy is a closed store in which a device was annotated, two were merged, and
// one was forgotten and came back; it returns its directory and the ids.
func busy(t *testing.T) (dir string, ids []string) {
	t.Helper()
	o := Options{Dir: t.TempDir(), Retention: Retention{Devices: 30 * day}}
	s := newSite(t, o)
	back := s.answer("10.0.0.9", "44:19:b6:00:00:09", policy.Banned)
	for range 2 {
		s.clock.pass(31 * day)
		s.end()
	}
	if _, kept := s.Device(back); kept {
		t.Fatal("it is still there")
	}
	for n := range 4 {
		ids = append(ids, s.answer(fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n+1), policy.Banned))
	}
	if again := s.answer("10.0.0.9", "44:19:b6:00:00:09", policy.Banned); again != back {
		t.Fatalf("%s came back as %s", back, again)
	}
	ids = append(ids, back)
	if err := s.Annotate(ids[0], AnnotationPatch{Location: ptr("Lobby")}, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Except(ids[0], Exception{Policy: "ca-hikvision-2025", Owner: "o", Reason: "r", By: "alice", Expires: s.clock.now().Add(day)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Determine(back, &Determination{Manufacturer: "Axis", Basis: "label"}, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Merge(ids[1], ids[2], "two interfaces", "alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return o.Dir, ids
}

func TestVerifyHoldsTheFileAgainstTheChain(t *testing.T) {
	dir, _ := busy(t)
	if v := verify(t, dir, "", 0); !v.OK() || v.Records != 5 || v.AnswersOnly != 0 || v.Devices != 4 || len(v.Forgotten) != 0 {
		t.Fatalf("%+v", v)
	}
	const annotated, first = "event = 'annotated'", "device = (SELECT id FROM devices ORDER BY no LIMIT 1)"
	for name, c := range map[string]struct{ sql, says string }{
		"an event of no device":        {"UPDATE events SET owner = 0 WHERE " + annotated, "is filed under another device"},
		"an event of another":          {"UPDATE events SET owner = owner + 1 WHERE " + annotated, "is filed under another device"},
		"an event of an unused number": {"UPDATE events SET owner = 4711 WHERE " + annotated, "number 4711"},
		"an event of a number below":   {"UPDATE events SET owner = 900 WHERE " + first + " AND NOT " + annotated, "filed"},
		"all events of a device":       {"UPDATE events SET owner = 4711 WHERE " + first, "number 4711"},
		"a device of another number":   {"UPDATE devices SET no = 4711 WHERE no = (SELECT min(no) FROM devices)", "has 4711"},
		"a forgotten merge":            {"DELETE FROM aliases", "became part of"},
		"a merge into another":         {"UPDATE aliases SET device = (SELECT id FROM devices ORDER BY no LIMIT 1)", "became part of"},
		"a deleted raw record":         {"DELETE FROM records WHERE digest = (SELECT min(digest) FROM records)", "is not there"},
		"a planted raw record":         {"INSERT INTO records SELECT 'd-other', digest, kind, record FROM records LIMIT 1", "is cited by no event"},
		"a raw record's address":       {"UPDATE records SET record = replace(record, '10.0.0.1', '10.0.0.7')", "was altered"},
		"a raw record's path":          {`UPDATE records SET record = replace(record, '"path":"/"', '"path":"/x"')`, "was altered"},
		"a raw record's kind":          {"UPDATE records SET kind = 'rtsp'", "was altered"},
		"deleted evidence":             {"DELETE FROM evidence WHERE no = (SELECT min(no) FROM devices)", "is not there"},
		"a deleted device":             {"DELETE FROM devices WHERE no = (SELECT min(no) FROM devices)", "no such device"},
		"a deleted excepted device": {"DELETE FROM evidence WHERE no = (SELECT min(no) FROM devices); DELETE FROM devices WHERE no = (SELECT min(no) FROM devices)",
			"is not there, though what event"},
		"a deleted determined device": {"DELETE FROM evidence WHERE no = (SELECT max(no) FROM devices); DELETE FROM devices WHERE no = (SELECT max(no) FROM devices)",
			"is not there, though what event"},
		"a deleted beginning with its raw records": {"DELETE FROM events WHERE seq <= 6; INSERT INTO meta SELECT 'chain.base', '6'; INSERT INTO meta SELECT 'chain.base_head', '00'",
			"taken out of this very file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := busy(t)
			tamper(t, dir, c.sql)
			if v := verify(t, dir, "", 0); v.OK() || !strings.Contains(strings.Join(v.Faults, "\n"), c.says) {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestVerifyNamesWhoIsNoLongerKept: a device that is deleted with its evidence
// cannot be told from one that retention forgot; it is named.
func TestVerifyNamesWhoIsNoLongerKept(t *testing.T) {
	dir, ids := busy(t)
	tamper(t, dir, "DELETE FROM evidence WHERE no = (SELECT no FROM devices WHERE id = '"+ids[3]+"')", "DELETE FROM devices WHERE id = '"+ids[3]+"'")
	if v := verify(t, dir, "", 0); !v.OK() || !slices.Equal(v.Forgotten, ids[3:4]) {
		t.Errorf("%+v", v)
	}
}

// TestVerifyOfRecordsOfAnOlderVersion: their digests cover the answer alone.
func TestVerifyOfRecordsOfAnOlderVersion(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	s := newSite(t, o)
	s.answer("10.0.0.1", macA, policy.Banned)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dir := o.Dir
	tamper(t, dir, "UPDATE records SET record = replace(record, '10.0.0.1', '10.0.0.7')")
	if v := verify(t, dir, "", 0); v.OK() {
		t.Errorf("a record that is covered whole: %+v", v)
	}
	written := t.TempDir()
	writeReleased(t, written, released[len(released)-1].file)
	if v := verify(t, written, "", 0); v.Records != 1 || v.AnswersOnly != 1 || !v.OK() {
		t.Errorf("%+v", v)
	}
	tamper(t, written, "DELETE FROM records")
	if v := verify(t, written, "", 0); v.OK() {
		t.Errorf("a deleted one: %+v", v)
	}
}

// TestADeviceCitesNoRecordsOfItsOwn: what a device sends looks like the end of an
// event's evidence, and makes no verification fail.
func TestADeviceCitesNoRecordsOfItsOwn(t *testing.T) {
	s := newSite(t, Options{Dir: t.TempDir()})
	const forged = "x; records http sha256:0123456789abcdef"
	a := s.see("10.0.0.1", macA, ev("http", 80, "server", forged)...).Device
	for n := range 80 { // the text is cut at every place
		reasons := []fingerprint.Reason{{Source: "http", Field: "realm", Value: strings.Repeat("y", n), Rule: strings.Repeat("r", 880)}, {Source: "http", Field: "server", Value: forged, Rule: "z"}}
		verdict := []string{policy.Clear, policy.Banned}[n%2]
		s.Commit(a, fingerprint.Identity{Manufacturer: "Hikvision", Model: fmt.Sprint(n), Class: fingerprint.ClassCamera, Reasons: reasons},
			[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict}}, s.clock.now())
		s.Commit(a, fingerprint.Identity{Manufacturer: "Hikvision", Model: fmt.Sprint(n), Class: fingerprint.ClassCamera, Reasons: reasons},
			[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Unknown}}, s.clock.now())
	}
	if v, err := s.Verify(t.Context(), "", 0); err != nil || !v.OK() {
		t.Errorf("%+v %v", v, err)
	}
}

// TestVerifyRaisesNoFalseAlarm lives through random histories with merges, splits,
// edits, forgotten devices, starts and files set aside.
func TestVerifyRaisesNoFalseAlarm(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 4))
		o := Options{Dir: t.TempDir(), Retention: Retention{Unclassified: day, NonCamera: day, RandomMAC: day, Devices: 5 * day}}
		o.Judge = func(d Device, ev []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
			id, verdict := fingerprint.Identity{Class: fingerprint.ClassUnknown}, policy.Unclassified
			for _, e := range ev {
				if e.Field == "server" {
					id = fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera,
						Reasons: []fingerprint.Reason{{Source: e.Source, Port: e.Port, Field: e.Field, Value: e.Value, Rule: "r"}}}
					verdict = policy.Banned
				}
			}
			if d.Determination != nil {
				verdict = map[string]string{"Hikvision": policy.Banned}[d.Determination.Manufacturer]
				if verdict == "" {
					verdict = policy.Clear
				}
			}
			return id, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict}}
		}
		s := newSite(t, o)
		some := func() string {
			all := s.Devices()
			if len(all) == 0 {
				return ""
			}
			return all[rng.IntN(len(all))].ID
		}
		gone := []string{}
		for step := range 150 {
			n := rng.IntN(12)
			addr, hw := fmt.Sprintf("10.0.0.%d", n+1), fmt.Sprintf("44:19:b6:00:00:%02x", n)
			switch rng.IntN(16) {
			case 0, 1, 2:
				s.answer(addr, hw, policy.Banned)
			case 3:
				s.see(addr, hw)
			case 4:
				s.rejudge(s.see(addr, "", ev("http", 80, "server", "App-webs/")...).Device)
			case 5:
				s.rejudge(s.see(addr, "", ev("sadp", 37020, "serial", fmt.Sprint("DS-2CD2012345678", n/2))...).Device)
			case 6:
				a, b := some(), some()
				if kept, err := s.Merge(a, b, "they are one", "alice"); err == nil {
					gone = append(gone, a, b)
					gone = slices.DeleteFunc(gone, func(id string) bool { return id == kept })
				}
			case 7:
				if len(gone) > 0 {
					s.Split(gone[rng.IntN(len(gone))], "they are two", "alice")
				}
			case 8:
				s.Determine(some(), &Determination{Manufacturer: []string{"Hikvision", "Axis"}[rng.IntN(2)], Basis: "label"}, "bob")
			case 9:
				s.Determine(some(), nil, "bob")
			case 10:
				s.Annotate(some(), AnnotationPatch{Note: ptr([]string{"", "n", strings.Repeat("é", 900)}[rng.IntN(3)])}, "carol")
			case 11:
				s.Except(some(), Exception{Policy: "ca-hikvision-2025", Owner: "o", Reason: "r", By: "alice", Expires: s.clock.now().Add(2 * day)})
			case 12:
				s.clock.pass(day)
				s.end(lan)
			case 13:
				s = reopen(t, s, o)
			case 14: // a router, in the end
				s.answer(addr, "44:19:b6:ff:00:01", policy.Banned)
			case 15:
				if s.clock.pass(time.Minute); rng.IntN(5) == 0 {
					s.damage()
				}
			}
			if step%10 != 9 {
				continue
			}
			if v, err := s.Verify(t.Context(), "", 0); err != nil || len(v.Faults) > 0 {
				t.Fatalf("history %d, step %d: %v %v", seed, step, v.Faults, err)
			}
		}
	}
}
