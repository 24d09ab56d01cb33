package fingerprint

import (
	"net/netip"
	"slices"
	"time"
)

// Question is one read-only question to one host. What it may ask is fixed:
// package probe holds the only requests there are, and refuses the rest.
type Question struct {
	Probe string `json:"probe"` // http, https, tls, rtsp, onvif, isapi, upnp, favicon
	Port  uint16 `json:"port"`
	// Path is the resource; for onvif the operation follows as a fragment
	// that is never sent: "/onvif/device_service#GetServices".
	Path string `json:"path,omitempty"`
	// TLS asks an onvif, isapi, upnp or favicon question inside TLS.
	TLS bool `json:"tls,omitempty"`
	// Login asks it with the user's own read-only credentials.
	Login bool `json:"login,omitempty"`
	// Behind asks for another device that may be reached through this one.
	Behind bool   `json:"behind,omitempty"`
	Why    string `json:"why,omitempty"`
}

// same tells whether two questions would put the same bytes to the same port.
func (q Question) same(o Question) bool {
	return q.Probe == o.Probe && q.Port == o.Port && q.Path == o.Path && q.TLS == o.TLS && q.Login == o.Login
}

// The reasons for which a question can fail, the label of
// camcensus_probe_failures_total.
const (
	FailedRefused   = "refused"   // nothing listens on the port
	FailedTimeout   = "timeout"   // no answer, or it stalled in the middle of one
	FailedReset     = "reset"     // it broke the connection
	FailedTLS       = "tls"       // no TLS session came about, or TLS where none was asked for
	FailedMalformed = "malformed" // it said something else, or nothing
	FailedBudget    = "budget"    // this host's packets of the cycle are used up
	FailedScope     = "scope"     // out of scope, excluded, or no question we may ask
	FailedCancelled = "cancelled"
)

// Asked is what became of one question: plain data, so that it can be kept.
type Asked struct {
	Question    Question      `json:"question"`
	Time        time.Time     `json:"time"`
	Took        time.Duration `json:"took"`        // from the accepted connection to the end of the answer
	Connections int           `json:"connections"` // TCP connections tried, refused ones too
	Requests    int           `json:"requests"`    // HTTP or RTSP requests sent
	Open        bool          `json:"open"`        // the port accepted
	Answered    bool          `json:"answered"`    // at least one byte came back
	Status      int           `json:"status,omitempty"`
	Failure     string        `json:"failure,omitempty"`
	// Later are questions that the answer itself suggests at the same host:
	// the target of a redirect, if it is one of the fixed paths.
	Later []Question `json:"later,omitempty"`
	// Hints are ports of the same host that the answer names.
	Hints []uint16 `json:"hints,omitempty"`
}

// State is all that Next decides by.
type State struct {
	Evidence []Evidence
	Identity Identity
	// Asked holds the questions put since Since, and older ones of the last
	// 24 hours that failed, for the back-off.
	Asked []Asked
	// Ports are open ports: of a sweep, of an accepted connection.
	Ports []uint16
	// Swept is true when Ports is what a sweep found: nothing else is guessed.
	Swept bool
	// IP, when valid, is compared with the hosts of XAddrs and LOCATIONs.
	IP netip.Addr
	// Routed hosts show no MAC; they are asked alike.
	Routed bool
	// Settled: no active policy's verdict can change any more and the class
	// is known (policy.Settled).
	Settled bool
	// Login: read-only credentials are configured for this host's network.
	Login bool
	Now   time.Time // zero: every entry of Asked is recent
	Since time.Time // when this pass over the host began; zero: all of Asked belongs to it
}

// The budget of one pass over one host: what the single-threaded servers of
// old cameras bear (docs/safety.md).
const (
	maxHTTPRequests = 6
	maxRTSPRequests = 2
	maxConnections  = 8
	maxAsking       = 10 * time.Second
	backOff         = 24 * time.Hour
)

// Next gives the cheapest question that still tells something, or false when
// the host is settled, its budget is used up, or it is better left alone.
func Next(st State) (Question, bool) {
	if st.troubled() {
		return Question{}, false
	}
	p := newPlan(st)
	todo := steps
	if st.enough() {
		todo = stepsBehind
	}
	for _, step := range todo {
		if q, ok := step(p); ok && p.affords(q) {
			return q, true
		}
	}
	return Question{}, false
}

// steps in rising cost: what any host answers, what a camera answers, what
// only one maker's device answers, and what tells least.
var steps = []func(*plan) (Question, bool){
	(*plan).description,
	(*plan).root,
	(*plan).later,
	(*plan).certificate,
	(*plan).stream,
	(*plan).onvifDevice,
	(*plan).login,
	(*plan).vendor,
	(*plan).otherWeb,
	(*plan).onvifBlind,
	(*plan).onvifOpen,
	(*plan).favicon,
}

// stepsBehind are for a host that is settled itself: of the devices that may
// stand behind its address nothing is settled.
var stepsBehind = []func(*plan) (Question, bool){(*plan).forwarded}

// enough tells that further questions could change nothing. A clear verdict
// needs an answer of the firmware itself, so a host that has not been heard
// on one of its own services is asked at least once.
func (st State) enough() bool {
	known := st.Identity.Class != "" && st.Identity.Class != ClassUnknown
	return st.Settled && known && (st.firmwareAnswered() || st.accused())
}

var firmwareProbes = []string{"http", "https", "rtsp", "onvif", "isapi", "upnp"}

func (st State) firmwareAnswered() bool {
	for _, r := range st.Identity.Reasons {
		if r.Group == GroupFirmware && slices.Contains(firmwareProbes, r.Source) {
			return true
		}
	}
	for _, a := range st.Asked {
		if a.Answered && a.Status != 0 && slices.Contains(firmwareProbes, a.Question.Probe) {
			return true
		}
	}
	return false
}

// accused: the foremost maker stands on its own private protocol; what its
// web page says adds nothing to that.
func (st State) accused() bool {
	if len(st.Identity.Candidates) == 0 {
		return false
	}
	c := st.Identity.Candidates[0]
	return c.Standing == Established && c.Groups[GroupNative] == Strong
}

// troubled tells that this host reset, stalled or banned us within a day.
func (st State) troubled() bool {
	open := map[uint16]bool{}
	for _, a := range st.Asked {
		if !st.Now.IsZero() && st.Now.Sub(a.Time) >= backOff {
			continue
		}
		port := a.Question.Port
		switch {
		case a.Failure == FailedReset,
			a.Failure == FailedTimeout && a.Answered,
			a.Status == 429,
			open[port] && !a.Open && (a.Failure == FailedRefused || a.Failure == FailedTimeout):
			return true
		}
		open[port] = open[port] || a.Open
	}
	return false
}
