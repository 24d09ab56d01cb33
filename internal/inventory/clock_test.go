package inventory

import "testing"

func TestAClockSetForwardForgetsNobodyWhoIsThere(t *testing.T) {
	s := newSite(t, Options{Retention: DefaultRetention})
	known := s.see("10.0.0.1", "00:1b:21:10:20:01").Device
	s.end("10.0.0.0/24")
	s.see("10.0.0.1", "00:1b:21:10:20:01")
	s.clock.pass(3 * 365 * day) // NTP, where nothing kept the time
	s.end("10.0.0.0/24")
	if again := s.see("10.0.0.1", "00:1b:21:10:20:01"); again.New || again.Device != known {
		t.Errorf("%s is now %+v", known, again)
	}
	s.clock.pass(DefaultRetention.Unclassified + day)
	s.end("10.0.0.0/24")
	s.end("10.0.0.0/24")
	if left := s.Devices(); len(left) > 0 {
		t.Errorf("kept for longer than may be: %v", left)
	}
}
