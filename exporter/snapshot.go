package exporter

import (
	"time"

	"camcensus/discovery"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// Snapshot is the state of the agent at one moment. It never changes once it
// is handed over.
type Snapshot struct {
	Taken   time.Time
	Started time.Time // of the process
	Version Version
	Site    Site
	Mode    string // active | listen

	// Devices are all devices of the inventory, removed and unclassified
	// ones included.
	Devices []inventory.Device
	// Many stands in the place of Devices where a slice of them all would
	// cost too much memory.
	Many Many
	// Policies are the active ones, in the order of the config.
	Policies []Policy
	// Makers and Brands are the canonical names of the rule set and the
	// policies. A name outside them becomes "other" as a metric's label.
	Makers []string
	Brands []string

	Networks   []Network
	Interfaces []Interface
	Sources    []Source
	Probes     []Probe
	Exclusions []Exclusion
	NotInScope []discovery.NotInScope
	Notes      []string // further blind spots, one sentence each (English)

	Cycle    Cycle
	Progress Progress
	Pause    Pause
	// Events counts each event since the store was made, by the names of
	// inventory.EventNames.
	Events map[string]uint64
	// Unassessed are channels that recorders declare less those matched to a
	// device; ChannelsUnknown are recorders that do not say how many.
	Unassessed      int
	ChannelsUnknown int

	Storage  Storage
	Config   Config
	Data     DataVersions
	Settings Settings
}

// Version is what was built.
type Version struct {
	Version, Revision, Branch, BuildDate, GoVersion string
}

// Site is the property this agent serves.
type Site struct {
	Name, Property, Organisation, Contact string
}

// Policy is what the exporter shows of one active list.
type Policy struct {
	Name    string       // "ca-hikvision-2025"
	Version string       // the list's own version
	Titles  policy.Words // the instrument in words
	Verb    string       // use, buy, install, authorise
	// Says is what the instrument says of the devices it reaches, in its own
	// verb. Optional.
	Says        policy.Words
	Instruction policy.Words // the department's own instruction, where it gives one
	Makers      []string     // canonical names of every manufacturer it reaches
	NotAssessed []string     // what it covers and a census cannot see
}

// Network is one prefix in scope, as its last finished sweep left it.
type Network struct {
	Network   string // "10.20.0.0/22"
	Interface string // "" when routed
	Tried, Answered, Excluded,
	Unreachable, Bogus int
	LastSweep time.Time // zero: never
	Up        bool      // false: no link, no sweep finished in two intervals, or no route
	Reason    string    // why it is not up
}

// Interface is one network interface of the scope.
type Interface struct {
	Name           string
	Up             bool
	CaptureDropped uint64 // frames the kernel dropped before the capture read them
}

// Source is the health and the counters of one source on one interface.
type Source struct {
	discovery.Status
	LastSighting time.Time
	Sightings    uint64
	Sent         uint64            // packets
	Rejected     map[string]uint64 // packets Wire refused, by reason
}

// Probe counts the questions of one kind. Failures are by reason.
type Probe struct {
	Probe    string
	Asked    uint64
	Failures map[string]uint64
}

// Exclusion is one entry of the config's exclude.
type Exclusion struct {
	Match  string `json:"match"`
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// Cycle is the history of finished cycles.
type Cycle struct {
	Number         int
	LastStart      time.Time
	LastCompletion time.Time
	NextStart      time.Time
	Interval       time.Duration
	Durations      Durations
}

// CycleBuckets are the upper bounds of the cycle duration's histogram, in
// seconds.
var CycleBuckets = [...]float64{1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800}

// Durations is a histogram; a plain value, copied by assignment.
type Durations struct {
	Count  uint64
	Sum    float64                   // seconds
	Counts [len(CycleBuckets)]uint64 // cumulative
}

// Observe adds one duration.
func (d *Durations) Observe(took time.Duration) {
	s := took.Seconds()
	d.Count++
	d.Sum += s
	for i, bound := range CycleBuckets {
		if s <= bound {
			d.Counts[i]++
		}
	}
}

// Progress is how far the running cycle is.
type Progress struct {
	Running bool      `json:"running"`
	Cycle   int       `json:"cycle"`
	Phase   string    `json:"phase"` // a short word: a source's or "identify"
	Done    int       `json:"done"`
	Total   int       `json:"total"` // 0: not known yet
	Started time.Time `json:"started,omitzero"`
	Found   int       `json:"found"` // hosts sighted in this cycle
}

// Pause says why nothing is sent; all false: it sends.
type Pause struct {
	Operator   bool
	QuietHours bool
	Mode       bool // mode: listen
	By         string
	Since      time.Time
}

// Storage is the state of the store.
type Storage struct {
	Created     time.Time
	LastCommit  time.Time
	Errors      uint64
	Problem     string // "" when all is well; else what is wrong, in one line
	ChainLength int64
	ChainHead   string // hex
}

// Config is how the last reload went.
type Config struct {
	LastReloadSuccessful bool // true after the first load, too
	LastReloadSuccess    time.Time
	Error                string // of the last reload, "" when it succeeded
}

// DataVersions are the versions of what the judgement rests on.
type DataVersions struct {
	OUIVersion, OUIDate string
	RulesVersion        string
	Rules, Makers       int
}

// The values of Settings.DeviceSeries.
const (
	DeviceSeriesFlagged = "flagged"
	DeviceSeriesAll     = "all"
	DeviceSeriesNone    = "none"
)

// Settings is what the config says of the exporter; a reload changes it.
type Settings struct {
	DeviceSeries    string   // flagged | all | none; "" is flagged
	MaxDeviceSeries int      // 0 is 2000
	Language        string   // auto | en | fr; "" is auto
	Editors         []string // user names that may change things
}
