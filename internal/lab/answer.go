package lab

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// question is a datagram that reached a device.
type question struct {
	payload []byte
	from    netip.AddrPort
	to      netip.AddrPort // the group, the broadcast address, or the device's own
	cast    bool           // multicast or broadcast
}

// datagram is one that a device sends.
type datagram struct {
	payload []byte
	from    uint16 // source port
	to      netip.AddrPort
	after   time.Duration
}

// voice is a device that is being played: it knows its real ports and counts its answers.
type voice struct {
	*Device
	site    *Site
	port    func(uint16) uint16
	plugged atomic.Bool
	tokens  atomic.Uint64
}

func newVoice(s *Site, d *Device, port func(uint16) uint16) *voice {
	v := &voice{Device: d, site: s, port: port}
	v.plugged.Store(!d.Unplugged && d.PlugAfter == 0)
	return v
}

func (v *voice) scene(asker netip.AddrPort) *Scene {
	s := v.Device.scene(v.port)
	s.Asker, s.Now = asker, time.Now().UTC()
	s.Token, _ = s.text(fmt.Sprintf(`{{uuid "%s/%d"}}`, v.Name, v.tokens.Add(1)))
	if asker.Addr().Is6() && !asker.Addr().Is4In6() {
		s.IP = s.LinkLocal
		if s.IP6.IsValid() && !asker.Addr().IsLinkLocalUnicast() {
			s.IP = s.IP6
		}
	}
	return s
}

// answers returns what the device says to a datagram on one of its UDP ports; ok is false when nothing listens there.
func (v *voice) answers(q question) (out []datagram, ok bool) {
	if v.Hidden {
		return nil, true
	}
	if v.WSD != nil && q.to.Port() == 3702 {
		out, ok = v.wsdAnswers(q), true
	}
	if v.MDNS != nil && q.to.Port() == 5353 {
		out, ok = append(out, v.mdnsAnswers(q)...), true
	}
	for _, d := range v.UDP {
		if d.Port == q.to.Port() && (!q.cast || d.hears(q.to.Addr())) {
			ok = true
			out = append(out, v.datagramAnswers(d, q)...)
		}
	}
	return v.spoil(out), ok
}

func (d *Datagram) hears(group netip.Addr) bool {
	if !group.IsMulticast() {
		return true // a broadcast
	}
	for _, g := range d.Groups {
		if g == group {
			return true
		}
	}
	return false
}

// spoil applies the device's faults to its datagrams.
func (v *voice) spoil(out []datagram) []datagram {
	for i := range out {
		out[i].after += v.Faults.Slow
	}
	switch v.Faults.UDP {
	case "silent":
		return nil
	case "malformed":
		for i := range out {
			out[i].payload = garble(out[i].payload)
		}
	case "endless":
		for _, d := range out {
			for n := range 100 {
				d.after += time.Duration(n) * time.Millisecond
				out = append(out, d)
			}
		}
	}
	return out
}

// garble cuts an answer in the middle and puts bytes in that no parser likes.
func garble(b []byte) []byte {
	cut := append([]byte{}, b[:len(b)/2]...)
	return append(cut, "\xff\xfe\x00<<<&#x0;{\"\\ud800\x1b[2J"...)
}

var patterns sync.Map // text to *regexp.Regexp

func pattern(text string) (*regexp.Regexp, error) {
	if re, ok := patterns.Load(text); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	patterns.Store(text, re)
	return re, nil
}

// matches tells whether the request is one that the device answers, and what its named groups hold.
func (d *Datagram) matches(request []byte) (map[string]string, bool) {
	expression, subject := d.Asked, string(request)
	if d.AskedHex != "" {
		expression, subject = d.AskedHex, hex.EncodeToString(request)
	}
	if expression == "" {
		return nil, false // announces only
	}
	re, err := pattern(expression)
	if err != nil {
		return nil, false
	}
	found := re.FindStringSubmatch(subject)
	if found == nil {
		return nil, false
	}
	groups := map[string]string{}
	for i, name := range re.SubexpNames() {
		if name != "" {
			groups[name] = found[i]
		}
	}
	return groups, true
}

func (v *voice) datagramAnswers(d *Datagram, q question) []datagram {
	if !q.cast && d.NoUnicast {
		return nil
	}
	groups, ok := d.matches(q.payload)
	if !ok {
		return nil
	}
	s := v.scene(q.from)
	s.Match = groups
	payload, err := d.payload(s)
	if err != nil {
		return nil // found when the site was loaded, unless what was asked made it so
	}
	to, err := replyTo(d.To, q.from)
	if err != nil {
		return nil
	}
	from := d.FromPort
	if from == 0 {
		from = d.Port
	}
	return []datagram{{payload: payload, from: from, to: to, after: d.Delay}}
}

func (d *Datagram) payload(s *Scene) ([]byte, error) {
	body, err := s.bytes(d.Answer, d.Hex, d.CRLF)
	if err != nil || d.Head == "" {
		return body, err
	}
	s.Match["length"] = strconv.Itoa(len(body))
	head, err := s.hex(d.Head)
	return append(head, body...), err
}

// replyTo reads where an answer goes: "" or sender, ":PORT" of the sender, or ADDRESS:PORT.
func replyTo(to string, sender netip.AddrPort) (netip.AddrPort, error) {
	switch {
	case to == "" || to == "sender":
		return sender, nil
	case strings.HasPrefix(to, ":"):
		port, err := strconv.ParseUint(to[1:], 10, 16)
		return netip.AddrPortFrom(sender.Addr(), uint16(port)), err
	}
	return netip.ParseAddrPort(to)
}

// greetings returns what the device says unasked when it is plugged in.
func (v *voice) greetings() []datagram {
	if v.Hidden {
		return nil
	}
	var out []datagram
	if v.WSD != nil && v.WSD.Hello {
		out = append(out, v.wsdAnnouncement("Hello")...)
	}
	if v.MDNS != nil && v.MDNS.Announce {
		out = append(out, v.mdnsAnnouncement()...)
	}
	for _, d := range v.UDP {
		out = append(out, v.shout(d)...)
	}
	return v.spoil(out)
}

// farewells returns what the device says when it is switched off in good order.
func (v *voice) farewells() []datagram {
	if v.WSD == nil || !v.WSD.Bye {
		return nil
	}
	return v.wsdAnnouncement("Bye")
}

func (v *voice) shout(d *Datagram) []datagram {
	if d.Announce == nil {
		return nil
	}
	payload, err := v.scene(netip.AddrPort{}).bytes(d.Announce.Text, d.Announce.Hex, d.Announce.CRLF)
	if err != nil {
		return nil
	}
	from := d.Announce.From
	if from == 0 {
		from = d.Port
	}
	return []datagram{{payload: payload, from: from, to: d.Announce.To}}
}

// render tries every template of the device once, so that a mistake is found when the site is loaded.
func (s *Site) render(d *Device) error {
	v := newVoice(s, d, samePort)
	scene := v.scene(netip.AddrPort{})
	var problems []error
	try := func(where string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", where, err))
		}
	}
	for name, u := range d.UDP {
		re, err := pattern(u.Asked + u.AskedHex)
		try("udp."+name, err)
		if err == nil {
			for _, group := range re.SubexpNames() {
				scene.Match[group] = "00000000" // whole bytes in a _hex template too
			}
		}
		_, err = u.payload(scene)
		try("udp."+name, err)
		if u.Announce != nil {
			_, err = scene.bytes(u.Announce.Text, u.Announce.Hex, false)
			try("udp."+name+".announce", err)
		}
	}
	if d.WSD != nil {
		_, err := v.wsdEnvelope(scene, "ProbeMatches", "urn:uuid:0")
		try("wsd", err)
	}
	if d.MDNS != nil {
		_, err := v.records(scene)
		try("mdns", err)
	}
	for name, w := range d.Web {
		for path, r := range w.Routes {
			if r != nil {
				_, err := r.render(scene)
				try("web."+name+"."+path, err)
			}
		}
	}
	if d.RTSP != nil {
		for name, r := range d.RTSP.Methods {
			_, err := r.render(scene)
			try("rtsp."+name, err)
		}
	}
	if d.TLS != nil {
		_, err := scene.text(d.TLS.Subject + d.TLS.Issuer)
		try("tls", err)
	}
	return errors.Join(problems...)
}
