package lab

import (
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

var (
	mdnsGroup4 = netip.MustParseAddrPort("224.0.0.251:5353")
	mdnsGroup6 = netip.MustParseAddrPort("[ff02::fb]:5353")
)

const metaQuery = "_services._dns-sd._udp.local."

// records returns what the device publishes; a PTR of the meta query is added for each service (RFC 6763 section 9).
func (v *voice) records(s *Scene) ([]dns.RR, error) {
	var all []dns.RR
	types := map[string]bool{}
	for _, source := range v.MDNS.Records {
		text, err := s.text(source)
		if err != nil {
			return nil, err
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			return nil, err
		}
		all = append(all, rr)
		if ptr, ok := rr.(*dns.PTR); ok && !types[ptr.Hdr.Name] && strings.HasPrefix(ptr.Hdr.Name, "_") {
			types[ptr.Hdr.Name] = true
			all = append(all, &dns.PTR{Hdr: dns.RR_Header{Name: metaQuery, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 4500}, Ptr: ptr.Hdr.Name})
		}
	}
	return all, nil
}

func (v *voice) mdnsAnswers(q question) []datagram {
	var asked dns.Msg
	if asked.Unpack(q.payload) != nil || asked.Response {
		return nil
	}
	all, err := v.records(v.scene(q.from))
	if err != nil {
		return nil
	}
	legacy := q.from.Port() != 5353
	answer := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}}
	unicast := legacy
	for _, question := range asked.Question {
		if question.Qclass&(1<<15) != 0 {
			unicast = true
		}
		for _, rr := range all {
			h := rr.Header()
			if strings.EqualFold(h.Name, question.Name) && (question.Qtype == h.Rrtype || question.Qtype == dns.TypeANY) && !known(asked.Answer, rr) {
				answer.Answer = append(answer.Answer, rr)
			}
		}
	}
	if len(answer.Answer) == 0 {
		return nil
	}
	if legacy { // RFC 6762 section 6.7
		answer.Id, answer.Question = asked.Id, asked.Question
	}
	if answer.Answer[0].Header().Name != metaQuery {
		answer.Extra = rest(all, answer.Answer)
	}
	to := q.from
	if !unicast || v.MDNS.NoUnicast && !legacy {
		to = mdnsGroup4
		if q.from.Addr().Is6() {
			to = mdnsGroup6
		}
	}
	return pack(answer, to, v.MDNS.Delay)
}

// known tells whether the asker has the record already (RFC 6762 section 7.1).
func known(answers []dns.RR, rr dns.RR) bool {
	for _, a := range answers {
		if dns.IsDuplicate(a, rr) && a.Header().Ttl*2 >= rr.Header().Ttl {
			return true
		}
	}
	return false
}

// rest returns the records that go along: those that were not answered, without the meta query's.
func rest(all, answered []dns.RR) []dns.RR {
	var extra []dns.RR
	for _, rr := range all {
		if rr.Header().Name != metaQuery && !known(answered, rr) {
			extra = append(extra, rr)
		}
	}
	return extra
}

func (v *voice) mdnsAnnouncement() []datagram {
	var out []datagram
	for _, group := range []netip.AddrPort{mdnsGroup4, mdnsGroup6} {
		if group.Addr().Is6() && !v.ll.IsValid() || group.Addr().Is4() && len(v.IPs) == 0 {
			continue
		}
		all, err := v.records(v.scene(group))
		if err != nil {
			continue
		}
		m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Answer: rest(all, nil)}
		out = append(out, pack(m, group, 0)...)
		out = append(out, pack(m, group, time.Second)...)
	}
	return out
}

func pack(m *dns.Msg, to netip.AddrPort, after time.Duration) []datagram {
	m.Compress = true
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return []datagram{{payload: b, from: 5353, to: to, after: after}}
}
