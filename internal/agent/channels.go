package agent

import (
	"camcensus/fingerprint"
	"camcensus/internal/inventory"
)

// Unassessed counts the channels that recorders declare, less the cameras
// that a recorder's own address relays, and the recorders that do not say. It
// is the most that nobody could look at: without a login no recorder says
// which cameras its channels are, so one that was found elsewhere on the
// network still counts.
func Unassessed(devices []inventory.Device) (channels, silent int) {
	left := map[string]int{} // channels, by a recorder's latest address
	for i := range devices {
		switch d := &devices[i]; {
		case d.State == inventory.Removed || d.Class != fingerprint.ClassRecorder:
		case d.Channels < 0 || len(d.IPs) == 0:
			silent++
		default:
			left[d.IPs[0]] += d.Channels
		}
	}
	if len(left) == 0 {
		return 0, silent
	}
	for i := range devices {
		if d := &devices[i]; d.Class == fingerprint.ClassCamera && d.State != inventory.Removed && len(d.IPs) > 0 && left[d.IPs[0]] > 0 {
			left[d.IPs[0]]--
		}
	}
	for _, n := range left {
		channels += n
	}
	return channels, silent
}
