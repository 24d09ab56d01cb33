package inventory

import (
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// State of a device.
type State string

// The states of a device.
const (
	Present State = "present"
	Missing State = "missing"
	Removed State = "removed"
)

// Device is one device as the API shows it (DESIGN section 8).
type Device struct {
	ID             string               `json:"id"`
	Site           string               `json:"site"`
	IPs            []string             `json:"ips"`  // latest first
	MACs           []string             `json:"macs"` // lowest burned-in first
	Hostnames      []string             `json:"hostnames"`
	Interface      string               `json:"interface"`
	Reachability   string               `json:"reachability"` // ip | layer2
	SwitchPort     string               `json:"switch_port"`
	Manufacturer   string               `json:"manufacturer"`                    // the determined one while a determination stands
	BySigns        string               `json:"manufacturer_by_signs,omitempty"` // then: who the evidence alone says made it
	Brand          string               `json:"brand"`
	Model          string               `json:"model"`
	Firmware       string               `json:"firmware"`
	Serial         string               `json:"serial"`
	Class          fingerprint.Class    `json:"class"`
	Certainty      float64              `json:"certainty"`
	Verdicts       []policy.Verdict     `json:"verdicts"`
	Determination  *Determination       `json:"determination"`
	State          State                `json:"state"`
	Sources        []string             `json:"sources"`
	FirstSeen      time.Time            `json:"first_seen"`
	LastSeen       time.Time            `json:"last_seen"`
	Returned       time.Time            `json:"returned,omitzero"` // after its removal; zero: never
	Annotations    Annotations          `json:"annotations"`
	Exceptions     []Exception          `json:"exceptions,omitempty"`
	Removal        *Removal             `json:"removal,omitempty"`
	Reasons        []fingerprint.Reason `json:"reasons"`
	Contradictions []string             `json:"contradictions"`
	// Channels a recorder declares: -1 unknown, 0 for all else.
	Channels int `json:"channels,omitempty"`
}

// MakerBySigns is who the evidence alone says made the device.
func (d *Device) MakerBySigns() string {
	if d.Determination != nil {
		return d.BySigns
	}
	return d.Manufacturer
}

// Determination is a person's finding on who made a device; it decides.
type Determination struct {
	Manufacturer string    `json:"manufacturer"`
	Basis        string    `json:"basis"` // label | document | maker_letter | inspection
	By           string    `json:"by"`
	Date         time.Time `json:"date"`
	Note         string    `json:"note"`
}

// Exception is a written, owned, expiring permission for one device under one
// policy.
type Exception struct {
	ID      string    `json:"id"`
	Policy  string    `json:"policy"`
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
	By      string    `json:"by"`
	Created time.Time `json:"created"`
}

// InForce tells whether the exception still holds. One that has ended stays until
// the agent's next look.
func (x *Exception) InForce(now time.Time) bool { return now.Before(x.Expires) }

// Annotations are what only a person knows of a device.
type Annotations struct {
	Location string `json:"location"`
	Owner    string `json:"owner"`
	Acquired string `json:"acquired"` // YYYY-MM-DD or ""
	Note     string `json:"note"`
}

// Removal is a person's word that a device was taken away.
type Removal struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Time   time.Time `json:"time"`
}

// Event is one entry of the append-only chain.
type Event struct {
	Seq    int64     `json:"seq"`
	Time   time.Time `json:"time"`
	Device string    `json:"device"`
	Event  string    `json:"event"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	By     string    `json:"by"`
	// Evidence is what the entry rests on, in one line: the rules that
	// matched, the record digests kept, a person's reason.
	Evidence string `json:"evidence,omitempty"`
	Hash     string `json:"hash"` // hex SHA-256 over the previous hash and this entry
}

// EventNames is the closed list of events, also the values of
// camcensus_events_total's label.
var EventNames = []string{
	"appeared", "returned", "missing", "removed", "moved", "merged", "split",
	"identified", "verdict_changed", "determined", "annotated", "excepted",
	"exception_expired", "exception_withdrawn", "network_lost", "network_back",
}
