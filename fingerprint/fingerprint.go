// Package fingerprint works out who really made a device: evidence in, rules
// over it, an identity with its reasons out, and the next question to ask. It
// sees named fields only and knows no protocol.
package fingerprint

import "time"

// Class is the kind of equipment.
type Class string

// The classes of DESIGN section 1.
const (
	ClassUnknown       Class = "unknown"
	ClassCamera        Class = "camera"
	ClassRecorder      Class = "recorder"
	ClassDoorbell      Class = "doorbell"
	ClassIntercom      Class = "intercom"
	ClassAccessControl Class = "access_control"
	ClassEncoder       Class = "encoder"
	ClassNetwork       Class = "network"
	ClassOther         Class = "other"
)

// Grade is how much one sign is worth.
type Grade string

// The grades of a rule.
const (
	Weak   Grade = "weak"
	Medium Grade = "medium"
	Strong Grade = "strong"
)

// Group is a set of signs that are really one sign; one group counts once.
type Group string

// The groups of DESIGN section 3.
const (
	GroupAddress     Group = "ADDRESS"
	GroupNative      Group = "NATIVE"
	GroupFirmware    Group = "FIRMWARE"
	GroupCertificate Group = "CERTIFICATE"
	GroupModel       Group = "MODEL"
	GroupTyped       Group = "TYPED"
)

// Evidence is one field with its provenance. Only evidence of one binding is
// added up together; the caller sees to that.
type Evidence struct {
	Source string    `json:"source"`         // record kind: "http", "wsd", "arp" ...
	Port   int       `json:"port,omitempty"` // port that answered, 0 when none
	Path   string    `json:"path,omitempty"` // what was asked, for http, rtsp, onvif, isapi
	Field  string    `json:"field"`          // "server", "scope.hardware", "mac"
	Value  string    `json:"value"`
	Seen   time.Time `json:"seen,omitzero"`
	// Solicited: answered to a question put to this host alone.
	Solicited bool `json:"solicited,omitempty"`
}

// Reason is one rule that matched, as the API and identify print it.
type Reason struct {
	Source   string    `json:"source"`
	Port     int       `json:"port,omitempty"`
	Field    string    `json:"field"`
	Value    string    `json:"value"`
	Rule     string    `json:"rule"`     // "hikvision/app-webs"
	Supports string    `json:"supports"` // the maker, brand, model or class it speaks for
	Group    Group     `json:"group"`
	Grade    Grade     `json:"grade"`
	Seen     time.Time `json:"seen,omitzero"`
	Text     string    `json:"text,omitempty"` // what was seen and what it means, in words (English)
}

// Standing is how firmly the evidence ties a device to one maker.
type Standing int

// The standings, in rising order. Policy turns them into verdicts.
const (
	// NoStanding: nothing, or only what may never accuse (a brand, a
	// favicon, typed text).
	NoStanding Standing = iota
	// Suspected: one strong or medium sign, the OUI alone of a firm that
	// makes mainly cameras, or a model tied to the maker with at least
	// technical confidence.
	Suspected
	// Named: one strong sign, or medium signs of two groups.
	Named
	// Established: one strong sign and at least a medium one of another
	// group, no contradiction, and at least one of them answered to a
	// question put to that host alone.
	Established
)

// Candidate is one maker that some evidence speaks for.
type Candidate struct {
	Maker    string // canonical name: "Hikvision", "EZVIZ"
	Of       string // the group of an affiliate: "Hikvision" for EZVIZ; else ""
	Standing Standing
	// Relabel is true when the label is another firm's: "sold as LTS, made
	// by Hikvision".
	Relabel bool
	// Former is true when the tie is that of a former affiliate.
	Former bool
	Groups map[Group]Grade // the best grade of each group
}

// Identity is what the evidence adds up to.
type Identity struct {
	Manufacturer   string   `json:"manufacturer"` // "" when not known
	Brand          string   `json:"brand"`
	Model          string   `json:"model"`
	Firmware       string   `json:"firmware"`
	Serial         string   `json:"serial"`
	Class          Class    `json:"class"`
	Certainty      float64  `json:"certainty"` // 0 to 1, for display and sorting only
	Reasons        []Reason `json:"reasons"`
	Contradictions []string `json:"contradictions"`

	// Candidates holds every maker with a standing, the firmest first.
	Candidates []Candidate `json:"-"`
	// MaybeCamera is true when a camera's service, port, OUI or multicast was
	// seen: such a host is unknown, any other unclassified.
	MaybeCamera bool `json:"-"`
	// Presumed is true when nothing tells the class and Class is what the
	// maker mainly makes.
	Presumed bool `json:"-"`
	// Channels is how many cameras a recorder declares behind it, -1 when
	// it does not say, 0 for all else.
	Channels int `json:"-"`
}
