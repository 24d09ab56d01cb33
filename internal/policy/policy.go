// Package policy holds the ban lists as data and judges identities by them.
package policy

// Verdict is what one policy says of one device.
type Verdict struct {
	Policy   string `json:"policy"`  // "ca-hikvision-2025"
	Verdict  string `json:"verdict"` // see the constants
	Basis    string `json:"basis"`   // named, relabel, affiliate, former_affiliate, or ""
	Verb     string `json:"verb"`    // the instrument's own: "use", "buy", "authorise"
	Measure  string `json:"measure"` // prohibited, assess, ask, no_use_ban, or ""
	Excepted bool   `json:"excepted"`
	Text     string `json:"text"` // what was seen, what it means, what would settle it (English)
}

// The verdicts of DESIGN section 1.
const (
	Banned       = "banned"
	SuspectedV   = "suspected"
	Clear        = "clear"
	Unknown      = "unknown"
	OutOfScope   = "out_of_scope"
	Unclassified = "unclassified"
)

// Flagged tells whether the verdict accuses: banned or suspected, excepted or
// not.
func (v Verdict) Flagged() bool { return v.Verdict == Banned || v.Verdict == SuspectedV }
