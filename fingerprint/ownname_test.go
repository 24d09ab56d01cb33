package fingerprint_test

import (
	"os"
	"path/filepath"
	"testing"

	"camcensus/fingerprint"
)

func TestAMakersOwnNameIsAHint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yml")
	if err := os.WriteFile(file, []byte("maker: Ever Lens\nnames: [Ever Lens Ltd.]\nmakes: cameras\nrules:\n"+
		"  - id: page\n    match:\n      - {field: http.title, pattern: '^EL$'}\n    supports: {manufacturer: Ever Lens}\n"+
		"    grade: weak\n    group: TYPED\n    means: \"x.\"\n    source: x\n    date: 2026-11-23\n    examples: [EL]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := fingerprint.Default(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ source, field, value, maker string }{
		{"http", "server", "Gallagher-Web/2.1", "Gallagher"},
		{"http", "realm", "IDIS", "IDIS"},
		{"rtsp", "server", "indigo_security Streaming/1", "Indigo Security"},
		{"tls", "subject.o", "Zavio, Inc.", "Zavio"},
		{"dhcp", "vendor_class", "Barix Instreamer", "Barix"},
		{"http", "title", "Truen TCAM", "Truen"},
		{"http", "server", "Ever Lens 3", "Ever Lens"},
		{"upnp", "manufacturer", "Cisco Meraki LLC", "Cisco Meraki"}, // and not Cisco
		{"http", "server", "Gallaghers", ""},                         // another word
		{"http", "server", "by Gallagher", ""},                       // not at its head
		{"http", "title", "Motion in the yard", ""},                  // a common word
		{"http", "title", "Hikvision in the yard", ""},               // a listed maker's files alone speak for it
		{"http", "server", "EZVIZ/1", ""},                            // and for its affiliates
	} {
		id := rules.Identify([]fingerprint.Evidence{{Source: c.source, Port: 80, Field: c.field, Value: c.value}})
		if id.Manufacturer != c.maker {
			t.Errorf("%s.%s %q: %q, want %q", c.source, c.field, c.value, id.Manufacturer, c.maker)
		}
		for _, one := range id.Candidates {
			for group, grade := range one.Groups {
				if c.field == "server" && grade != fingerprint.Weak {
					t.Errorf("%s.%s %q is %v in %v", c.source, c.field, c.value, grade, group)
				}
			}
		}
	}
}

// A name that an innocent maker bears does not clear a listed one.
func TestAnOwnNameClearsNobody(t *testing.T) {
	rules := shippedRules(t)
	alone := fingerprint.Evidence{Source: "http", Port: 80, Path: "/", Field: "server", Value: "App-webs/"}
	name := fingerprint.Evidence{Source: "http", Port: 80, Path: "/", Field: "title", Value: "Canon room"}
	realm := fingerprint.Evidence{Source: "http", Port: 80, Path: "/", Field: "realm", Value: "Gallagher"}
	before, after := rules.Identify([]fingerprint.Evidence{alone}), rules.Identify([]fingerprint.Evidence{alone, name, realm})
	if before.Manufacturer != "Hikvision" || after.Manufacturer != "Hikvision" {
		t.Fatalf("%q became %q", before.Manufacturer, after.Manufacturer)
	}
	if a, b := before.Candidates[0].Standing, after.Candidates[0].Standing; a != b {
		t.Errorf("the standing fell from %v to %v", a, b)
	}
}

// What a rule of the maker's file says of a field is not said twice.
func TestAnOwnNameIsNoSecondReason(t *testing.T) {
	id := shippedRules(t).Identify([]fingerprint.Evidence{{Source: "dhcp", Field: "vendor_class", Value: "Fanvil X4U"}})
	if len(id.Reasons) != 1 || id.Reasons[0].Rule != "fanvil/dhcp" {
		t.Errorf("%+v", id.Reasons)
	}
}

// A title ends no questions: a relabelled camera may bear its seller's name.
func TestATypedNameIsAskedBehind(t *testing.T) {
	rules := shippedRules(t)
	for _, c := range []struct {
		field, value string
		asked        bool
	}{{"title", "LANCOM lobby", true}, {"server", "LANCOM 1611 Office", false}} {
		ev := []fingerprint.Evidence{{Source: "http", Port: 80, Path: "/", Field: c.field, Value: c.value}}
		st := fingerprint.State{Evidence: ev, Identity: rules.Identify(ev), Ports: []uint16{80}, Swept: true}
		asked := false
		for range 20 {
			q, more := fingerprint.Next(st)
			if !more {
				break
			}
			asked = asked || q.Probe == "onvif"
			st.Asked = append(st.Asked, fingerprint.Asked{Question: q, Answered: true, Status: 404, Connections: 1})
		}
		if asked != c.asked {
			t.Errorf("%s %q: asked by ONVIF: %v, want %v", c.field, c.value, asked, c.asked)
		}
	}
}
