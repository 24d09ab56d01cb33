package inventory

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// TestAnAssetListsContradictionsAreNoted: what in a line is another device's, and
// that the device was taken away; a camera that was replaced at its address is
// told on both sides.
func TestAnAssetListsContradictionsAreNoted(t *testing.T) {
	s := newSite(t, Options{})
	camera := func(addr, hw, serial string) string {
		id := s.see(addr, hw).Device
		s.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Serial: serial, Class: fingerprint.ClassCamera},
			[]policy.Verdict{{Policy: "p", Verdict: policy.Banned}}, s.clock.now())
		return id
	}
	a := camera("10.0.0.1", macA, "DS-2CD2143AAWR991408124")
	b := camera("10.0.0.2", macB, "DS-2CD2347AAWR961803197")
	c := camera("10.0.0.3", macC, "")
	routed := camera("10.9.0.4", "", "")
	removed := camera("10.0.0.5", "44:19:b6:10:20:05", "")
	if err := s.Remove(removed, "scrap", "alice"); err != nil {
		t.Fatal(err)
	}
	const replaced = "another device is at that address now: "
	lines := []struct{ line, device, by, note string }{
		{macA + ",DS-2CD2143AAWR991408124,10.0.0.1", a, "mac", ""},
		{macA + ",AAWR991408124,", a, "mac", "line 2 is the same device"}, // the end of it, as labels have it
		{macA + ",DS-2CD2347AAWR961803197,", a, "mac", "the serial is that of another device: " + b + "; line 2 is the same device"},
		{macA + ",OTHER99,", a, "mac", "here its serial is DS-2CD2143AAWR991408124; line 2 is the same device"},
		{macA + " " + macB + ",,", a, "mac", "the MAC " + macB + " is that of another device: " + b + "; line 2 is the same device"},
		{macA + ",,10.0.0.99", a, "mac", "here its address is 10.0.0.1; line 2 is the same device"},
		{macA + ",,10.0.0.2", a, "mac", "here its address is 10.0.0.1; " + replaced + b + "; line 2 is the same device"},
		{"00:11:22:33:44:55,DS-2CD2347AAWR961803197,10.0.0.2", b, "serial", "here its MAC is " + macB},
		{"44:19:b6:10:20:05,,", removed, "mac", "here it was removed on 2026-01-05"},
		{",,10.0.0.5", removed, "ip", "here it was removed on 2026-01-05; line 10 is the same device"},
		{",,10.0.0.2", b, "ip", "line 9 is the same device"},
		{",961803197,10.0.0.2", b, "ip", "line 9 is the same device"},
		{"00:11:22:33:44:55,,10.9.0.4", routed, "ip", "only the IP agrees: another device may have it now"}, // nothing here speaks against it
		{",X1,10.9.0.4", routed, "ip", "only the IP agrees: another device may have it now; line 14 is the same device"},
		{"00:11:22:33:44:55,,10.0.0.3", "", "", replaced + c},
		{",NOSUCH1,10.0.0.2", "", "", replaced + b},
		{"00:11:22:33:44:55,,10.0.0.5", "", "", "another device was last at that address: " + removed + " (removed)"},
		{"00:11:22:33:44:55,,10.0.0.77", "", "", ""},
		{"zz,,300.1.1.1", "", "", "not a MAC: zz; not an IP: 300.1.1.1"},
	}
	var list strings.Builder
	list.WriteString("mac,serial,ip\n")
	for _, l := range lines {
		list.WriteString(l.line + "\n")
	}
	m, err := s.Import(strings.NewReader(list.String()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]Asset{}
	for _, one := range append(m.Both, m.OnlyThere...) {
		got[one.Line] = one
	}
	for n, l := range lines {
		if one := got[n+2]; one.Device != l.device || one.By != l.by || one.Note != l.note {
			t.Errorf("line %d, %s: %s by %q, %q, want %s by %q, %q", n+2, l.line, one.Device, one.By, one.Note, l.device, l.by, l.note)
		}
	}
	if len(m.OnlyHere) != 1 || m.OnlyHere[0].ID != c {
		t.Errorf("only here: %+v", m.OnlyHere)
	}
}

// TestASerialOfSeveralIsTheOnesAtItsAddress: which one a line finds does not
// depend on chance.
func TestASerialOfSeveralIsTheOnesAtItsAddress(t *testing.T) {
	s := newSite(t, Options{})
	var ids []string
	for n, addr := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		id := s.see(addr, []string{macA, macB, macC}[n]).Device
		s.Commit(id, fingerprint.Identity{Serial: "CLONE123", Class: fingerprint.ClassCamera}, nil, s.clock.now())
		ids = append(ids, id)
	}
	for range 8 {
		m, err := s.Import(strings.NewReader("serial,ip\nclone123,10.0.0.2\nclone123,\n"))
		if err != nil || len(m.Both) != 2 || m.Both[0].Device != ids[1] || m.Both[1].Device != ids[0] || m.Both[1].Note != "3 devices have this serial" {
			t.Fatalf("%+v, %v", m, err)
		}
	}
}

// TestTheColumnsOfAnAssetListAreTold: every column of MACs and addresses is looked
// at, and what is not is named.
func TestTheColumnsOfAnAssetListAreTold(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, policy.Banned)
	for _, name := range []string{"mac2", "MAC 2", "mac_1", "WLAN MAC", "Wi-Fi MAC", "MAC (eth0)", "MAC Address 2", "Adresse MAC 2", "Adresse MAC sans fil", "LAN-MAC", "macs"} {
		m, err := s.Import(strings.NewReader("name,mac," + name + ",colour\nrec,00 11 22 33 44 55," + macA + ",red\n"))
		if err != nil || len(m.Both) != 1 || m.Both[0].Device != a || m.Both[0].By != "mac" {
			t.Errorf("%s: %+v, %v", name, m, err)
			continue
		}
		if want := (Columns{MAC: []string{"mac", name}, Serial: []string{}, IP: []string{}, Name: []string{"name"}, Unused: []string{"colour"}}); !reflect.DeepEqual(m.Columns, want) {
			t.Errorf("%s: %+v", name, m.Columns)
		}
	}
	for name, want := range map[string]string{
		"ip 2": "ip", "ipv4": "ip", "ipv6 address": "ip", "address 2": "ip", "mac vendor": "", "macos": "", "serial 2": "", "fabricant mac": "", "2": "", "": "", "id": "name",
	} {
		if got := columnOf(plainName(name)); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestAnAssetListsEmptyAndRoundedCells: a word for nothing is nothing, and a serial
// that a spreadsheet has rounded is looked for nowhere.
func TestAnAssetListsEmptyAndRoundedCells(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.Commit(a, fingerprint.Identity{Manufacturer: "Hikvision", Serial: "420E08", Class: fingerprint.ClassCamera}, nil, s.clock.now())
	const rounded = "a spreadsheet has rounded the serial %s, its digits are lost: keep that column as text"
	for _, c := range []struct{ line, by, note string }{
		{"N/A,-,10.0.0.1", "ip", ""}, {macA + ",n/a,none", "mac", ""}, {"—,None,inconnu", "", "no MAC, serial or IP to match it by"},
		{",4.20E+08,", "", fmt.Sprintf(rounded, "4.20E+08")}, {",\"1,23457E+14\",10.0.0.1", "ip", fmt.Sprintf(rounded, "1,23457E+14") + "; only the IP agrees: another device may have it now"},
		{",420E08,", "serial", ""},
	} {
		m, err := s.Import(strings.NewReader("mac,serial,ip\n" + c.line + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if one := append(m.Both, m.OnlyThere...)[0]; one.By != c.by || one.Note != c.note {
			t.Errorf("%s: %+v", c.line, one)
		}
	}
	m, err := s.Import(strings.NewReader("serial,serial number\n420E08,OTHER1\nN/A,420e08\n420E08,420e08\n"))
	if err != nil || len(m.Both) != 3 || m.Both[0].Note != "several serials: only the first is looked for" || m.Both[1].Note != "line 2 is the same device" {
		t.Errorf("%+v, %v", m, err)
	}
}
