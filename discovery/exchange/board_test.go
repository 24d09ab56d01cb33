package exchange

import (
	"errors"
	"testing"
)

func TestTheStatusSaysWhatFailsAndForgetsItWhenItWorks(t *testing.T) {
	b := NewBoard("wsd", false)
	at := func(iface string) (bool, string) {
		for _, s := range b.Status() {
			if s.Interface == iface {
				return s.Up, s.Reason
			}
		}
		return false, "no status"
	}
	b.Begin("eth0", Asking)
	b.Begin("eth0", Asking6)
	b.Work("eth0", Asking6)
	b.Fail("eth0", Asking, errors.New("no route"))
	if up, why := at("eth0"); up || why != "no route" {
		t.Errorf("IPv6 works and IPv4 does not: up %v, %q", up, why)
	}
	b.Work("eth0", Asking)
	b.Fail("eth0", Asking, errors.New("no buffer space"))
	if up, why := at("eth0"); !up {
		t.Errorf("one packet of many failed: %q", why)
	}
	b.Fail("", Asking, errors.New("no route"))
	if up, _ := at(""); up {
		t.Error("up without a route")
	}
	b.Begin("", Asking)
	if up, why := at(""); !up {
		t.Errorf("in the next cycle: %q", why)
	}
}
