package fingerprint

import (
	"fmt"
	"slices"
	"strings"
)

// description: a UPnP description names maker and model in plain words, and
// the device itself said where it lies.
func (p *plan) description() (Question, bool) {
	for _, q := range p.located {
		if p.open(q.Port) && !p.wasAsked(q) {
			return q, true
		}
	}
	return Question{}, false
}

// root asks for "/" until one web server has answered: on the ports that were
// named first, then, for a host of which nothing is known, on guessed ones.
func (p *plan) root() (Question, bool) {
	if _, ok := p.server(); ok {
		return Question{}, false
	}
	guess := !p.named || !p.st.Swept && len(p.webs)+len(p.secure) == 0 && p.cameraLike()
	return p.rootOf(guess, guessedWeb)
}

// otherWeb goes on to the less likely ports when the likely ones were silent.
func (p *plan) otherWeb() (Question, bool) {
	if _, ok := p.server(); ok {
		return Question{}, false
	}
	return p.rootOf(!p.named, guessedLast)
}

func (p *plan) rootOf(guess bool, guesses []uint16) (Question, bool) {
	webs, secure := p.webs, p.secure
	why := "what the web server says of itself tells the maker most often"
	if guess {
		webs = slices.Concat(webs, guesses)
	}
	for _, port := range webs {
		q := Question{Probe: "http", Port: port, Path: "/", Why: why}
		if slices.Contains(securePorts, port) {
			q.Probe = "https"
		}
		if p.askable(q) && !slices.Contains(secure, port) {
			return q, true
		}
	}
	for _, port := range secure {
		if q := (Question{Probe: "https", Port: port, Path: "/", Why: why}); p.askable(q) {
			return q, true
		}
	}
	return Question{}, false
}

func (p *plan) askable(q Question) bool { return p.open(q.Port) && !p.wasAsked(q) }

// server is the web server that answered, plain HTTP before TLS. An answer in
// evidence of this pass counts as well: a sweep's accepted connection is the
// first probe.
func (p *plan) server() (Question, bool) {
	var found Question
	better := func(q Question) {
		if found.Port == 0 || found.TLS && !q.TLS {
			found = q
		}
	}
	for _, a := range p.asked {
		q := a.Question
		if (q.Probe == "http" || q.Probe == "https") && a.Answered && a.Status != 0 {
			better(Question{Port: q.Port, TLS: q.Probe == "https"})
		}
	}
	for _, e := range p.st.Evidence {
		if (e.Source == "http" || e.Source == "https") && e.Solicited && e.Port > 0 && !e.Seen.Before(p.st.Since) {
			better(Question{Port: uint16(e.Port), TLS: e.Source == "https"})
		}
	}
	return found, found.Port != 0
}

// later puts what an answer led to: a redirect within the host. Two, not
// more: a device could go on for ever.
func (p *plan) later() (Question, bool) {
	followed := 0
	for _, a := range p.asked {
		for _, q := range a.Later {
			if p.wasAsked(q) {
				followed++
			} else if followed < 2 && p.open(q.Port) {
				q.Why = fmt.Sprintf("its answer on port %d redirects here", a.Question.Port)
				return q, true
			}
		}
	}
	return Question{}, false
}

// certificate reads who issued the host's TLS certificate.
func (p *plan) certificate() (Question, bool) {
	ports := p.secure
	if len(ports) == 0 && !p.st.Swept && (!p.named || p.cameraLike()) {
		ports = securePorts[:1]
	}
	for _, port := range ports {
		https := func(a Asked) bool { return a.Question.Port == port && a.Question.Probe == "https" }
		q := Question{Probe: "tls", Port: port, Why: "a maker's own certificate is hard to imitate by accident"}
		if p.askable(q) && !slices.ContainsFunc(p.asked, https) {
			return q, true
		}
	}
	return Question{}, false
}

// stream asks the RTSP server, whose realm often carries maker and serial.
func (p *plan) stream() (Question, bool) {
	ports := p.streams
	if len(ports) == 0 && !p.st.Swept && (!p.named || p.cameraLike()) {
		ports = guessedStream
	}
	for _, port := range ports {
		q := Question{Probe: "rtsp", Port: port, Path: "/", Why: "the RTSP realm often names maker and serial"}
		if p.askable(q) {
			return q, true
		}
	}
	return Question{}, false
}

// onvifAt is the device service that was named, else the one the standard
// fixes on the host's web server.
func (p *plan) onvifAt() (Question, bool) {
	for _, q := range p.xaddrs {
		if p.open(q.Port) {
			return q, true
		}
	}
	if !p.cameraLike() {
		return Question{}, false
	}
	q, ok := p.server()
	q.Probe, q.Path = "onvif", onvifPath
	return q, ok
}

// onvifDevice asks for maker and model once, without a login.
func (p *plan) onvifDevice() (Question, bool) {
	q, ok := p.onvifAt()
	asked := slices.ContainsFunc(p.asked, func(a Asked) bool {
		return a.Question.Probe == "onvif" && !a.Question.Login && operation(a.Question) == onvifDevice
	})
	if !ok || asked {
		return Question{}, false
	}
	q.Path += "#" + onvifDevice
	q.Why = "a device that answers this without a login names its maker and model"
	return q, true
}

// onvifBlind asks a web server whose page says nothing of what the host is: a
// camera need not tell before it is asked.
func (p *plan) onvifBlind() (Question, bool) {
	q, ok := p.server()
	if !ok || p.cameraLike() || !p.nameless() {
		return Question{}, false
	}
	q.Probe, q.Path = "onvif", onvifPath+"#"+onvifDevice
	q.Why = "nothing tells what this is, and a camera would answer this"
	return q, p.askable(q)
}

// onvifOpen goes on with what the standard opens to anyone, once it is plain
// that ONVIF is spoken there.
func (p *plan) onvifOpen() (Question, bool) {
	status := map[string]int{}
	for _, a := range p.asked {
		if a.Question.Probe == "onvif" && !a.Question.Login {
			status[operation(a.Question)] = a.Status
		}
	}
	if s := status[onvifDevice]; s != 200 && s != 400 && s != 401 && s != 500 {
		return Question{}, false
	}
	at, ok := p.onvifAt()
	if !ok || refusals(status) >= maxRefusals {
		return Question{}, false
	}
	for _, op := range onvifOperations {
		if _, asked := status[op.name]; asked {
			continue
		}
		if op.unless != "" && status[op.unless] == 200 {
			continue
		}
		at.Path += "#" + op.name
		at.Why = "open to anyone by the ONVIF standard, and its paths differ by maker"
		return at, true
	}
	return Question{}, false
}

// maxRefusals of operations that the standard opens: a device that locks them
// too is not asked on.
const maxRefusals = 2

func refusals(status map[string]int) (n int) {
	for operation, s := range status {
		if operation != onvifDevice && s != 200 {
			n++
		}
	}
	return n
}

func operation(q Question) string {
	_, op, _ := strings.Cut(q.Path, "#")
	return op
}

// vendor asks a maker's own path once the evidence points to that maker.
func (p *plan) vendor() (Question, bool) {
	at, ok := p.server()
	if !ok {
		return Question{}, false
	}
	for _, v := range vendorPaths {
		q := v.Question
		q.Port, q.TLS, q.Why = at.Port, at.TLS, v.Why
		if q.Probe == "http" && at.TLS {
			q.Probe, q.TLS = "https", false
		}
		if !p.wasAsked(q) && p.open(q.Port) && p.unlocks(v) {
			return q, true
		}
	}
	return Question{}, false
}

func (p *plan) unlocks(v vendorPath) bool {
	for _, c := range p.st.Identity.Candidates {
		if slices.Contains(v.Makers, c.Maker) || slices.Contains(v.Makers, c.Of) {
			return true
		}
	}
	if slices.Contains(v.Makers, p.st.Identity.Manufacturer) {
		return true
	}
	return slices.ContainsFunc(p.st.Evidence, func(e Evidence) bool {
		return slices.ContainsFunc(v.Signs, func(s sign) bool { return s.matches(e) })
	})
}

func (s sign) matches(e Evidence) bool {
	return (len(s.Sources) == 0 || slices.Contains(s.Sources, e.Source)) &&
		(s.Field == "" || s.Field == e.Field) &&
		(s.Contains == "" || strings.Contains(strings.ToLower(e.Value), s.Contains))
}

// login repeats a question that was refused, with the user's credentials, and
// only of a host that has been identified as a camera or its like.
func (p *plan) login() (Question, bool) {
	if !p.st.Login || !slices.Contains(cameraClasses, p.st.Identity.Class) {
		return Question{}, false
	}
	tried := func(a Asked) bool { return a.Question.Login && a.Failure != FailedScope } // scope: no account for it
	if slices.ContainsFunc(p.asked, tried) {
		return Question{}, false
	}
	for _, a := range p.asked {
		q := a.Question
		q.Login = true
		if p.wasAsked(q) {
			continue
		}
		refused := a.Status == 401 || q.Probe == "onvif" && (a.Status == 400 || a.Status == 500)
		if refused && (q.Path == isapiDevice || operation(q) == onvifDevice) {
			q.Why = "read with the credentials configured for its network"
			return q, true
		}
	}
	return Question{}, false
}

// favicon tells little, so it comes last and only while no maker is known.
func (p *plan) favicon() (Question, bool) {
	at, ok := p.server()
	if !ok || p.st.Identity.Manufacturer != "" {
		return Question{}, false
	}
	q := Question{Probe: "favicon", Port: at.Port, Path: faviconPath, TLS: at.TLS,
		Why: "some makers ship one icon with every device"}
	return q, p.askable(q)
}

// forwarded asks on the further ports of a host that may forward them to
// others: a camera behind a router has no other address to be seen at.
func (p *plan) forwarded() (Question, bool) {
	if !p.forwards() {
		return Question{}, false
	}
	ports := forwardedPorts
	if p.st.Swept {
		ports = p.st.Ports
	}
	for _, port := range ports {
		q := Question{Probe: "http", Port: port, Path: "/", Behind: true, Why: "this host forwards, or may: another device could answer here"}
		switch {
		case slices.Contains(streamPorts, port):
			q.Probe = "rtsp"
		case slices.Contains(securePorts, port), slices.Contains(p.secure, port):
			q.Probe = "https"
		}
		samePort := func(a Asked) bool { return a.Question.Port == port }
		if p.open(port) && !slices.ContainsFunc(p.asked, samePort) {
			return q, true
		}
	}
	return Question{}, false
}

// forwards tells of network equipment, and of a host that names another MAC
// than its frames bear.
func (p *plan) forwards() bool {
	if p.st.Identity.Class == ClassNetwork {
		return true
	}
	var bears, names []string
	for _, e := range p.st.Evidence {
		switch {
		case e.Field != "mac":
		case slices.Contains(frameSources, e.Source):
			bears = append(bears, e.Value)
		case slices.Contains(firmwareProbes, e.Source):
			names = append(names, e.Value)
		}
	}
	return len(bears) > 0 && slices.ContainsFunc(names, func(mac string) bool { return !slices.Contains(bears, mac) })
}
