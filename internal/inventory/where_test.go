package inventory

import (
	"slices"
	"strings"
	"testing"
)

// TestWhereIsWhatDeviceShows holds the walk against the device itself.
func TestWhereIsWhatDeviceShows(t *testing.T) {
	s := newSite(t, Options{})
	a := s.see("10.0.0.1", macA).Device
	s.camera(a, "banned")
	s.clock.pass(day)
	s.see("10.0.0.7", macA)
	s.see("fe80::1:2", macA)
	s.see("10.0.0.2", macB)
	s.see("10.0.0.3", "")
	n := 0
	s.EachAt(func(d *Device, at *Where) bool {
		n++
		// The walk holds the lock: the whole device is taken from the list.
		e := s.devices[d.ID]
		if got := texts(at); !slices.Equal(got[0], e.addresses()) || !slices.Equal(got[1], e.macTexts()) {
			t.Errorf("%s: %v, the device has %v %v", d.ID, got, e.addresses(), e.macTexts())
		}
		return true
	})
	if n != 3 {
		t.Fatalf("%d devices", n)
	}
	for _, c := range []struct {
		q, digits string
		want      int
	}{
		{"10.0.0.7", "", 1}, {"10.0.0.", "", 3}, {"fe80", "", 1}, {macA[3:], "", 1}, {"44:19:B6", "", 0}, {"floor", "", 0},
		{"", strings.ReplaceAll(macB, ":", "")[2:], 1}, {"zz", "ffffffff", 0},
	} {
		found := 0
		s.EachAt(func(_ *Device, at *Where) bool {
			if at.Holds(c.q, c.digits) {
				found++
			}
			return true
		})
		if found != c.want {
			t.Errorf("%q %q: %d devices, want %d", c.q, c.digits, found, c.want)
		}
	}
}

// TestAddressClaimedUnderTwoMACsIsShownOnce: somebody claims the address of a
// camera while it answers.
func TestAddressClaimedUnderTwoMACsIsShownOnce(t *testing.T) {
	s := newSite(t, Options{})
	serial := ev("isapi", 80, "serial", "DS-2CD2143G2-I20230412AAWR287927092")
	id := s.see("10.0.0.1", macA, serial...).Device
	if other := s.see("10.0.0.1", macB, serial...).Device; other != id {
		t.Fatalf("%s and %s", id, other)
	}
	if d := s.device(id); !slices.Equal(d.IPs, []string{"10.0.0.1"}) || len(d.MACs) != 2 {
		t.Errorf("%v %v", d.IPs, d.MACs)
	}
	s.EachAt(func(_ *Device, at *Where) bool {
		if len(at.IPs) != 1 {
			t.Errorf("%v", at.IPs)
		}
		return true
	})
}

func texts(at *Where) (out [2][]string) {
	out = [2][]string{{}, {}}
	for _, ip := range at.IPs {
		out[0] = append(out[0], ip.String())
	}
	for _, m := range at.MACs {
		out[1] = append(out[1], hwaddr(m).String())
	}
	return out
}
