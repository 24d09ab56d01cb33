package policy

import (
	"slices"
	"strings"
	"time"

	"camcensus/fingerprint"
)

// Judge says what one policy says of one device. finding is the maker that a
// person determined, "" without a determination; it decides. acquired is the
// day the device was bought, zero when not known.
func Judge(p *Policy, id fingerprint.Identity, finding string, acquired, now time.Time) Verdict {
	v := Decide(p, id, finding, acquired)
	v.Text = p.Text(v, id, finding, "en")
	return v
}

// Decide is Judge without the words, for those who print none.
func Decide(p *Policy, id fingerprint.Identity, finding string, acquired time.Time) Verdict {
	v := p.judge(id, finding, acquired)
	v.Policy, v.Verb = p.Name, p.Verb
	return v
}

func (p *Policy) judge(id fingerprint.Identity, finding string, acquired time.Time) Verdict {
	if p.beyond(id.Class) {
		return Verdict{Verdict: OutOfScope}
	}
	if finding != "" {
		return p.found(finding, id, acquired)
	}
	suspect := id.MaybeCamera || id.Class != fingerprint.ClassUnknown
	if c, tie, ok := p.reached(id); ok && suspect {
		return p.accuse(tie, c.Standing == fingerprint.Established, acquired)
	}
	for _, c := range id.Candidates {
		if c.Standing == fingerprint.Established {
			return Verdict{Verdict: Clear}
		}
	}
	if suspect {
		return Verdict{Verdict: Unknown}
	}
	return Verdict{Verdict: Unclassified}
}

// beyond tells whether the class is one that the policy does not reach.
func (p *Policy) beyond(class fingerprint.Class) bool {
	return class != fingerprint.ClassUnknown && !slices.Contains(p.Classes, class)
}

// tie is how a maker is reached: by name, or through another.
type tie struct {
	basis   string
	verdict string
	measure string
}

// reached finds the firmest candidate that the policy reaches.
func (p *Policy) reached(id fingerprint.Identity) (c fingerprint.Candidate, t tie, ok bool) {
	for _, candidate := range id.Candidates {
		if candidate.Standing < fingerprint.Suspected {
			continue
		}
		if t := p.tie(candidate); t.verdict != "" && t.verdict != Clear && (!ok || candidate.Standing > c.Standing) {
			c, ok = candidate, true
		}
	}
	if ok {
		t = p.tie(c)
	}
	return c, t, ok
}

// tie tells how the policy reaches a candidate; its verdict is "" when it
// does not.
func (p *Policy) tie(c fingerprint.Candidate) tie {
	if m, named := p.named(c.Maker); named {
		if c.Relabel && p.Relabels.Verdict != "" && m.Verdict == Banned {
			return tie{"relabel", p.Relabels.Verdict, p.Relabels.Measure}
		}
		return tie{"named", m.Verdict, m.Measure}
	}
	head, ofNamed := p.named(c.Of)
	switch {
	case c.Former && (ofNamed || slices.Contains(p.Former.Makers, c.Maker)):
		return tie{"former_affiliate", p.Former.Verdict, p.Former.Measure}
	case !c.Former && (ofNamed || slices.Contains(p.Affiliates.Makers, c.Maker)):
		t := tie{"affiliate", p.Affiliates.Verdict, p.Affiliates.Measure}
		if ofNamed && head.Verdict != Banned && t.verdict == Banned {
			t.verdict, t.measure = head.Verdict, head.Measure
		}
		return t
	}
	return tie{}
}

func (p *Policy) named(maker string) (Manufacturer, bool) {
	for _, m := range p.Manufacturers {
		if m.Maker == maker {
			return m, true
		}
	}
	return Manufacturer{}, false
}

// accuse turns a tie into a verdict: banned only when the maker is
// established, and only as the date of purchase allows.
func (p *Policy) accuse(t tie, established bool, acquired time.Time) Verdict {
	v := Verdict{Verdict: t.verdict, Basis: t.basis, Measure: t.measure}
	if v.Verdict == Banned && p.Acquired != nil {
		switch {
		case acquired.IsZero():
			v.Verdict, v.Measure = p.Acquired.Undated.Verdict, p.Acquired.Undated.Measure
		case !acquired.After(p.Acquired.after):
			v.Verdict, v.Measure = p.Acquired.Before.Verdict, p.Acquired.Before.Measure
		}
	}
	if !established && v.Verdict == Banned {
		v.Verdict = SuspectedV
		if v.Measure == "prohibited" {
			v.Measure = "ask"
		}
	}
	return v
}

// found judges by a person's finding.
func (p *Policy) found(maker string, id fingerprint.Identity, acquired time.Time) Verdict {
	c := fingerprint.Candidate{Maker: maker}
	for _, known := range id.Candidates {
		if strings.EqualFold(known.Maker, maker) {
			c = known
		}
	}
	for _, m := range p.Manufacturers {
		if strings.EqualFold(m.Maker, maker) {
			c.Maker = m.Maker
		}
	}
	if t := p.tie(c); t.verdict != "" && t.verdict != Clear {
		return p.accuse(t, true, acquired)
	}
	return Verdict{Verdict: Clear}
}

// Settled tells whether no further answer can change what any of the
// policies says of the device, and its class is known.
func Settled(ps []*Policy, id fingerprint.Identity) bool {
	if id.Class == fingerprint.ClassUnknown || id.Presumed {
		return false
	}
	for _, p := range ps {
		switch v := p.judge(id, "", time.Time{}); v.Verdict {
		case OutOfScope:
		case Clear:
			if !firmwareSpoke(id) {
				return false
			}
		case Banned, SuspectedV:
			if c, _, ok := p.reached(id); !ok || c.Standing != fingerprint.Established {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// firmwareSpoke: clear needs at least one answer of the device's own
// firmware.
func firmwareSpoke(id fingerprint.Identity) bool {
	for _, c := range id.Candidates {
		if c.Standing == fingerprint.Established {
			_, firmware := c.Groups[fingerprint.GroupFirmware]
			return firmware
		}
	}
	return false
}
