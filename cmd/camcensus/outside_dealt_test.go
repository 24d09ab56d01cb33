package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"camcensus/internal/inventory"
	"camcensus/internal/lab"
)

// The addresses of a small site before and after its router dealt them anew.
const (
	dealtHead   = "name: dealt\nabout: addresses dealt anew\nsegments: [{name: lan, prefix: 10.77.0.0/24, prefix6: \"fd77::/64\"}]\ndevices:\n"
	dealtBefore = dealtHead + `
  - {name: hik1, kind: hikvision-camera, ip: 10.77.0.30, mac: "44:19:b6:00:00:30", serial: "DS-2CD2143G2-I20200101AAWR100000030"}
  - {name: axis1, kind: axis-camera, ip: 10.77.0.31, mac: "ac:cc:8e:00:00:31"}
  - {name: axis2, kind: axis-camera, ip: 10.77.0.33, mac: "ac:cc:8e:00:00:33"}
  - {name: hanwha1, kind: hanwha-camera, ip: 10.77.0.36, mac: "00:09:18:00:00:36"}
  - {name: pc1, kind: windows-pc, ip: 10.77.0.37, mac: "b8:ca:3a:00:00:37"}
  - {name: bosch1, kind: bosch-camera, ip: 10.77.0.38, mac: "00:07:5f:00:00:38"}
  - {name: nas1, kind: nas, ip: 10.77.0.39, mac: "00:11:32:00:00:39"}
`
	dealtAfter = dealtHead + `
  - {name: hik1, kind: hikvision-camera, ip: 10.77.0.31, mac: "44:19:b6:00:00:30", serial: "DS-2CD2143G2-I20200101AAWR100000030"}
  - {name: axis1, kind: axis-camera, ip: 10.77.0.30, mac: "ac:cc:8e:00:00:31"}
  - {name: hik3, kind: hikvision-camera, ip: 10.77.0.33, mac: "44:19:b6:00:00:33", serial: "DS-2CD2143G2-I20200101AAWR100000033"}
  - {name: axis2, kind: axis-camera, ip: 10.77.0.34, mac: "ac:cc:8e:00:00:33"}
  - {name: lts1, kind: lts-camera, ip: 10.77.0.36, mac: "c0:56:e3:00:00:36"}
  - {name: hanwha1, kind: hanwha-camera, ip: 10.77.0.43, mac: "00:09:18:00:00:36"}
  - {name: axis4, kind: axis-camera, ip: 10.77.0.37, mac: "ac:cc:8e:00:00:37"}
  - {name: pc1, kind: windows-pc, ip: 10.77.0.44, mac: "b8:ca:3a:00:00:37"}
  - {name: annke1, kind: annke-camera, ip: 10.77.0.38, mac: "d0:3b:f4:00:00:38"}
  - {name: bosch1, kind: bosch-camera, ip: 10.77.0.45, mac: "00:07:5f:00:00:38"}
  - {name: hik4, kind: hikvision-camera, ip: 10.77.0.39, mac: "44:19:b6:00:00:39", serial: "DS-2CD2143G2-I20200101AAWR100000039"}
  - {name: nas1, kind: nas, ip: 10.77.0.46, mac: "00:11:32:00:00:39"}
`
)

// wantDealt is what ca-hikvision-2025 says of each kind.
var wantDealt = map[string]string{
	"hikvision-camera": "banned", "lts-camera": "banned", "annke-camera": "banned",
	"axis-camera": "clear", "hanwha-camera": "clear", "bosch-camera": "clear", "windows-pc": "out_of_scope", "nas": "out_of_scope",
}

// TestAddressesDealtAnewAccuseNobody: while the agent was away every address
// came to another device, and the first words heard of each are datagrams that
// show no MAC.
func TestAddressesDealtAnewAccuseNobody(t *testing.T) {
	dir := t.TempDir()
	innocent := map[string]string{}
	for _, text := range []string{dealtBefore, dealtAfter} {
		s, err := lab.Load(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: s})
		if err != nil {
			t.Fatal(err)
		}
		a := startAgent(t, dir, brisk)
		a.firstCycle()
		for _, d := range s.Devices {
			a.await(d.Name+" "+wantDealt[d.Kind], 90*time.Second, func() bool {
				got, ok := a.device(d)
				return ok && got.State == inventory.Present && verdictOf(got, "ca-hikvision-2025") == wantDealt[d.Kind]
			})
		}
		if n := len(a.devices()); n != len(s.Devices) {
			t.Errorf("%d devices, the site has %d", n, len(s.Devices))
		}
		for _, d := range a.devices() {
			if v := verdictOf(d, "ca-hikvision-2025"); v == "clear" || v == "out_of_scope" {
				innocent[d.ID] = d.Manufacturer
			}
		}
		a.stored()
		a.stop()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(innocent) != 7 {
		t.Errorf("%d innocents, want 7: %v", len(innocent), innocent)
	}
	for line := range strings.Lines(camcensus(t, nil, "inventory", "--storage.path", dir, "events").out) {
		f := strings.Fields(line)
		if len(f) > 3 && innocent[f[2]] != "" && f[3] == "verdict_changed" && (strings.Contains(line, "2025 suspected") || strings.Contains(line, "2025 banned")) {
			t.Errorf("%s, an innocent, was accused: %s", innocent[f[2]], line)
		}
	}
}

const twoInterfaces = `
name: two
about: recorders with two interfaces, which announce a serial and answer the web without one
segments: [{name: lan, prefix: 10.77.0.0/24}]
devices:
  - {name: h1, kind: hikvision-recorder, ip: 10.77.0.30, mac: "44:19:b6:00:00:30", serial: "DS-7608NI-K20820230412CCWR123456789WCVU"}
  - {name: h2, kind: hikvision-recorder, ip: 10.77.0.31, mac: "44:19:b6:00:00:31", serial: "DS-7608NI-K20820230412CCWR123456789WCVU"}
  - {name: d1, kind: dahua-recorder, ip: 10.77.0.40, mac: "e0:50:8b:00:00:40", serial: "7F01234PAZ12345"}
  - {name: d2, kind: dahua-recorder, ip: 10.77.0.41, mac: "e0:50:8b:00:00:41", serial: "7F01234PAZ12345"}
`

func TestARecorderWithTwoInterfacesIsOneDevice(t *testing.T) {
	s, err := lab.Load(strings.NewReader(twoInterfaces))
	if err != nil {
		t.Fatal(err)
	}
	r, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: s})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := startAgent(t, t.TempDir(), brisk)
	a.firstCycle()
	a.await("two devices", 90*time.Second, func() bool { return len(a.devices()) == 2 })
	for _, d := range a.devices() {
		if len(d.MACs) != 2 || len(d.IPs) < 2 {
			t.Errorf("%s: %v %v", d.Manufacturer, d.MACs, d.IPs)
		}
		if want := d.Manufacturer == "Hikvision"; want != (verdictOf(d, "ca-hikvision-2025") == "banned") {
			t.Errorf("%s is %s", d.Manufacturer, verdictOf(d, "ca-hikvision-2025"))
		}
	}
	a.stop()
}
