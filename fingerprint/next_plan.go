package fingerprint

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plan is what the evidence tells of one host's services, and what of its
// budget is left.
type plan struct {
	st      State
	webs    []uint16        // plain HTTP, the surest first
	secure  []uint16        // HTTPS
	streams []uint16        // RTSP
	closed  map[uint16]bool // refused or silent in this pass
	private map[uint16]bool // a private protocol's port
	named   bool            // a source or a sweep has said which ports there are
	asked   []Asked         // of this pass
	located []Question      // LOCATION of SSDP
	xaddrs  []Question      // ONVIF device services, without operation
}

func newPlan(st State) *plan {
	p := &plan{st: st, closed: map[uint16]bool{}, private: map[uint16]bool{}}
	for _, port := range privatePorts {
		p.private[port] = true
	}
	for _, a := range st.Asked {
		if a.Time.Before(st.Since) {
			continue
		}
		p.asked = append(p.asked, a)
		if !a.Open && (a.Failure == FailedRefused || a.Failure == FailedTimeout) {
			p.closed[a.Question.Port] = true
		}
	}
	p.readEvidence()
	p.named = st.Swept || len(st.Ports)+len(p.webs)+len(p.secure)+len(p.streams) > 0
	for _, a := range p.asked {
		for _, port := range a.Hints {
			p.addPort(port)
		}
		if a.Failure == FailedTLS && a.Question.Probe == "http" {
			p.webs = slices.DeleteFunc(p.webs, func(port uint16) bool { return port == a.Question.Port })
			p.add(&p.secure, a.Question.Port)
		}
	}
	for _, port := range st.Ports {
		p.addPort(port)
	}
	return p
}

func (p *plan) add(to *[]uint16, port uint16) {
	if port != 0 && !p.private[port] && !slices.Contains(*to, port) {
		*to = append(*to, port)
	}
}

// addPort files an open port under the service its number suggests.
func (p *plan) addPort(port uint16) {
	switch {
	case slices.Contains(p.webs, port), slices.Contains(p.secure, port), slices.Contains(p.streams, port):
	case slices.Contains(securePorts, port):
		p.add(&p.secure, port)
	case slices.Contains(streamPorts, port):
		p.add(&p.streams, port)
	default:
		p.add(&p.webs, port)
	}
}

// readEvidence takes the ports that the sources named.
func (p *plan) readEvidence() {
	for _, e := range p.st.Evidence {
		if e.Field == "port.sdk" {
			p.private[portOf(e.Value)] = true
		}
	}
	service := ""
	for _, e := range p.st.Evidence {
		switch e.Field {
		case "port.http":
			p.add(&p.webs, portOf(e.Value))
		case "port.https":
			p.add(&p.secure, portOf(e.Value))
		case "port.rtsp":
			p.add(&p.streams, portOf(e.Value))
		case "xaddr":
			p.readXAddr(e)
		case "location":
			p.readLocation(e)
		case "service":
			service = e.Value
		case "port":
			p.readService(e, service)
		}
	}
}

func (p *plan) readXAddr(e Evidence) {
	if e.Source != "wsd" {
		return
	}
	u, port, ok := p.ownURL(e.Value)
	if !ok {
		return
	}
	q := Question{Probe: "onvif", Port: port, Path: u.Path, TLS: u.Scheme == "https"}
	if q.TLS {
		p.add(&p.secure, port)
	} else {
		p.add(&p.webs, port)
	}
	p.xaddrs = append(p.xaddrs, q)
}

func (p *plan) readLocation(e Evidence) {
	if e.Source != "ssdp" {
		return
	}
	u, port, ok := p.ownURL(e.Value)
	if ok && u.Scheme == "http" && u.RawQuery == "" {
		p.located = append(p.located, Question{Probe: "upnp", Port: port, Path: u.Path,
			Why: "its SSDP answer points to this description"})
	}
}

func (p *plan) readService(e Evidence, service string) {
	if e.Source != "mdns" {
		return
	}
	port := portOf(e.Value)
	switch {
	case strings.HasPrefix(service, "_rtsp."):
		p.add(&p.streams, port)
	case strings.HasPrefix(service, "_https."):
		p.add(&p.secure, port)
	case strings.HasPrefix(service, "_http."), strings.HasPrefix(service, "_axis-video."),
		strings.HasPrefix(service, "_onvif."), strings.HasPrefix(service, "_psia."):
		p.add(&p.webs, port)
	}
}

// ownURL reads a URL that a device gave for itself. Another host's is not
// asked: a device must not send us anywhere.
func (p *plan) ownURL(s string) (*url.URL, uint16, bool) {
	u, err := url.Parse(s)
	if err != nil || len(s) > 512 || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, 0, false
	}
	if ip, err := netip.ParseAddr(u.Hostname()); p.st.IP.IsValid() && (err != nil || ip.Unmap().WithZone("") != p.st.IP.Unmap().WithZone("")) {
		return nil, 0, false
	}
	port := portOf(u.Port())
	if u.Port() == "" {
		port = map[string]uint16{"http": 80, "https": 443}[u.Scheme]
	}
	return u, port, port != 0
}

func portOf(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// wasAsked tells whether the question was put in this pass.
func (p *plan) wasAsked(q Question) bool {
	return slices.ContainsFunc(p.asked, func(a Asked) bool { return a.Question.same(q) })
}

// open tells whether asking the port can still lead to an answer.
func (p *plan) open(port uint16) bool { return port != 0 && !p.closed[port] && !p.private[port] }

// affords holds the question against what is left of the budget.
func (p *plan) affords(q Question) bool {
	var http, rtsp, connections int
	var took time.Duration
	for _, a := range p.asked {
		connections += a.Connections
		took += a.Took
		if a.Question.Probe == "rtsp" {
			rtsp += a.Requests
		} else {
			http += a.Requests
		}
	}
	if connections >= maxConnections || took >= maxAsking {
		return false
	}
	switch q.Probe {
	case "tls":
		return true
	case "rtsp":
		return rtsp == 0
	}
	need := 1
	if q.Login {
		need = 2
	}
	return http+need <= maxHTTPRequests && rtsp <= maxRTSPRequests
}

// cameraLike: something about the host speaks of a camera, so that a guess at
// a camera's ports is more than a guess.
func (p *plan) cameraLike() bool {
	if p.st.Identity.MaybeCamera || slices.Contains(cameraClasses, p.st.Identity.Class) {
		return true
	}
	return slices.ContainsFunc(p.st.Evidence, func(e Evidence) bool {
		switch e.Source {
		case "wsd", "sadp", "dhip", "rtsp", "onvif":
			return true
		}
		return false
	})
}

// nameless: nothing but what an owner may have typed tells who made the host
// or what it is.
func (p *plan) nameless() bool {
	id := &p.st.Identity
	unknown := id.Class == "" || id.Class == ClassUnknown
	if id.Manufacturer == "" {
		return unknown
	}
	typed := false
	for _, r := range id.Reasons {
		if r.Supports == id.Manufacturer && r.Group != GroupTyped {
			return false
		}
		typed = typed || r.Supports == id.Manufacturer
	}
	return typed && (unknown || id.Presumed)
}

// IsCameraClass tells whether the class is that of a camera or its like.
func IsCameraClass(c Class) bool { return slices.Contains(cameraClasses, c) }

var cameraClasses = []Class{ClassCamera, ClassRecorder, ClassDoorbell, ClassIntercom, ClassAccessControl, ClassEncoder}
