package lab

import (
	"strings"
	"testing"
	"time"
)

// TestTheTapeIsInTheOrderOfTheWire: the rate of what was sent is read off it,
// over windows of time.
func TestTheTapeIsInTheOrderOfTheWire(t *testing.T) {
	tape, noon := newTape(), time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	for _, f := range []struct {
		iface string
		after time.Duration
	}{{"cam0", 0}, {"cam0", 300}, {"cam1", 100}, {"cam1", 200}, {"cam1", 300}} {
		tape.keep(taped{at: noon.Add(f.after * time.Millisecond), iface: f.iface, sent: true})
	}
	var order []string
	for _, f := range tape.frames(true) {
		order = append(order, f.Interface+" "+f.Time.Sub(noon).String())
	}
	if got, want := strings.Join(order, ", "), "cam0 0s, cam1 100ms, cam1 200ms, cam0 300ms, cam1 300ms"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
