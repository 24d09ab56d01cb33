package exporter

import (
	"slices"
	"strings"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// verdictWord is a verdict over all policies in one or two words.
func (t tongue) verdictWord(verdict string) string {
	switch verdict {
	case policy.Banned:
		return t.T("Banned")
	case policy.SuspectedV:
		return t.T("Suspected")
	case policy.Clear:
		return t.T("Clear")
	case policy.Unknown:
		return t.T("Unknown")
	case policy.OutOfScope:
		return t.T("Out of scope")
	}
	return t.T("Unclassified")
}

// verdictIn says a verdict as its instrument does: an order that bans use says
// so, a list of what may not be authorised is a list.
func (t tongue) verdictIn(v *policy.Verdict) string {
	if v.Verdict != policy.Banned {
		return t.verdictWord(v.Verdict)
	}
	switch strings.ToLower(v.Verb) {
	case "use":
		return t.T("Banned from use")
	case "buy", "purchase", "procure":
		return t.T("Banned from purchase")
	case "install":
		return t.T("Banned from installation")
	case "authorise", "authorize":
		return t.T("On the list")
	}
	return t.T("Banned")
}

// classWord is a class in words.
func (t tongue) classWord(c fingerprint.Class) string {
	switch c {
	case fingerprint.ClassCamera:
		return t.T("camera")
	case fingerprint.ClassRecorder:
		return t.T("recorder")
	case fingerprint.ClassDoorbell:
		return t.T("doorbell")
	case fingerprint.ClassIntercom:
		return t.T("intercom")
	case fingerprint.ClassAccessControl:
		return t.T("access control")
	case fingerprint.ClassEncoder:
		return t.T("encoder")
	case fingerprint.ClassNetwork:
		return t.T("network equipment")
	case fingerprint.ClassOther:
		return t.T("other")
	}
	return t.T("unknown class")
}

// stateWord is a state in words.
func (t tongue) stateWord(s inventory.State) string {
	switch s {
	case inventory.Missing:
		return t.T("missing")
	case inventory.Removed:
		return t.T("removed")
	}
	return t.T("present")
}

// measureWord is what the instrument then asks for.
func (t tongue) measureWord(measure string) string {
	switch measure {
	case "prohibited":
		return t.T("The instrument prohibits it.")
	case "assess":
		return t.T("The instrument asks for a risk assessment.")
	case "ask":
		return t.T("The instrument leaves this open: ask the department.")
	case "no_use_ban":
		return t.T("The instrument does not ban its use.")
	}
	return ""
}

// basisWord says by what tie the policy reaches the device.
func (t tongue) basisWord(d *inventory.Device, basis string) string {
	switch basis {
	case "named":
		return t.T("The instrument names the maker.")
	case "relabel":
		if d.Determination != nil {
			return t.T("Another firm's label: sold as %s.", orUnknown(t, d.Brand))
		}
		return t.T("Another firm's label: sold as %s, the evidence points to %s as the maker.", orUnknown(t, d.Brand), orUnknown(t, d.Manufacturer))
	case "affiliate":
		return t.T("%s belongs to a group that the instrument names.", orUnknown(t, d.Manufacturer))
	case "former_affiliate":
		return t.T("%s once belonged to a group that the instrument names.", orUnknown(t, d.Manufacturer))
	}
	return ""
}

func orUnknown(t tongue, name string) string {
	if name == "" {
		return t.T("unknown")
	}
	return name
}

// meaning says in words what a verdict means under a policy. What was seen and
// what would settle it have their own places on the page.
func (t tongue) meaning(d *inventory.Device, v *policy.Verdict, p *Policy) []string {
	var said []string
	add := func(sentence string) {
		if sentence != "" {
			said = append(said, sentence)
		}
	}
	switch {
	case d.Determination != nil:
		add(t.T("A person determined that %s made it.", d.Determination.Manufacturer))
	case v.Verdict == policy.Banned, v.Verdict == policy.SuspectedV && established(d):
		add(t.T("Two independent signs, one of them strong, say that %s made it.", orUnknown(t, d.Manufacturer)))
	case v.Verdict == policy.SuspectedV:
		add(t.T("Signs point to a maker that this policy reaches, but they do not settle it."))
	case v.Verdict == policy.Clear:
		add(t.T("Its maker is established as %s, which this policy does not name. Where its components come from is not assessed.", orUnknown(t, d.Manufacturer)))
	case v.Verdict == policy.Unknown:
		add(t.T("It is or may be a camera, and nothing seen so far establishes who made it. This is not a clearance."))
		if d.Manufacturer != "" {
			add(t.T("The signs point to %s, but not firmly enough to clear the device.", d.Manufacturer))
		}
	case v.Verdict == policy.OutOfScope:
		add(t.T("It is another class of equipment (%s) than this policy reaches.", t.classWord(d.Class)))
	default:
		add(t.T("Nothing suggests a camera, and nothing tells what it is."))
	}
	add(t.basisWord(d, v.Basis))
	if v.Flagged() {
		add(p.Says.In(t.Lang))
		add(t.measureWord(v.Measure))
		add(p.Instruction.In(t.Lang))
	}
	if v.Excepted {
		add(t.T("A written exception permits it for now."))
	}
	return said
}

// settle says what would settle the question, and who can do it.
func (t tongue) settle(d *inventory.Device) []string {
	if d.Determination != nil {
		return []string{t.T("A person has determined the maker. The determination can be withdrawn below if it was wrong.")}
	}
	worst := worstVerdict(d)
	var said []string
	switch worst {
	case policy.Banned:
		said = append(said, t.T("Someone on site reads maker and model off the label on the housing or its box, and records it as a determination: a person signs the finding."))
	case policy.SuspectedV, policy.Unknown:
		said = append(said, t.T("Someone on site reads maker and model off the label on the housing, or finds the purchase document, and records it as a determination."))
		if d.Brand != "" && d.Brand != d.Manufacturer {
			said = append(said, t.T("Or: ask %s in writing who makes the model %s.", d.Brand, orUnknown(t, d.Model)))
		}
	case policy.Clear:
		said = append(said, t.T("Nothing more is needed. A look at the label would confirm it."))
	case policy.OutOfScope:
		said = append(said, t.T("Nothing more is needed under this policy."))
	default:
		said = append(said, t.T("If it is a camera, record who made it as a determination."))
	}
	if needsDate(d) {
		said = append(said, t.T("Enter the date on which it was acquired: the instrument treats it by that date."))
	}
	return said
}

func needsDate(d *inventory.Device) bool {
	if d.Annotations.Acquired != "" {
		return false
	}
	for i := range d.Verdicts {
		v := &d.Verdicts[i]
		if v.Measure == "assess" || v.Verdict == policy.SuspectedV && v.Basis == "named" && established(d) {
			return true
		}
	}
	return false
}

// established tells that a listed maker is: a device is banned under some
// policy only then. Where a policy that names the maker merely suspects it
// all the same, the day of purchase is what is missing.
func established(d *inventory.Device) bool {
	return slices.ContainsFunc(d.Verdicts, func(v policy.Verdict) bool { return v.Verdict == policy.Banned })
}

// seen says what one reason is: what was seen, then what it speaks for.
func (t tongue) seen(r *fingerprint.Reason) string {
	short := *r
	short.Value = shortened(r.Value, 120)
	return short.In(t.Lang)
}

// sourceWord names a source or probe as people know it.
func (t tongue) sourceWord(source string) string {
	switch source {
	case "http", "https", "tls", "rtsp", "onvif", "isapi", "upnp", "sadp", "dhip", "ssdp", "snmp", "dhcp", "arp", "ndp":
		return strings.ToUpper(source)
	case "wsd":
		return "WS-Discovery"
	case "mdns":
		return "mDNS"
	}
	return source
}

func (t tongue) gradeWord(g fingerprint.Grade) string {
	switch g {
	case fingerprint.Strong:
		return t.T("strong")
	case fingerprint.Medium:
		return t.T("medium")
	}
	return t.T("weak")
}

func (t tongue) groupWord(g fingerprint.Group) string {
	switch g {
	case fingerprint.GroupAddress:
		return t.T("address")
	case fingerprint.GroupNative:
		return t.T("maker's own protocol")
	case fingerprint.GroupFirmware:
		return t.T("firmware")
	case fingerprint.GroupCertificate:
		return t.T("certificate")
	case fingerprint.GroupModel:
		return t.T("model")
	case fingerprint.GroupTyped:
		return t.T("typed by someone")
	}
	return string(g)
}

// eventWords say the closed list of events to people.
var eventWords = map[string]string{
	"appeared":            "appeared",
	"returned":            "returned after its removal",
	"missing":             "went missing",
	"removed":             "was removed",
	"moved":               "changed its address",
	"merged":              "was merged with another entry",
	"split":               "was split from another entry",
	"identified":          "was identified",
	"verdict_changed":     "got another verdict",
	"determined":          "was determined by a person",
	"annotated":           "was annotated",
	"excepted":            "was excepted",
	"exception_expired":   "lost its exception by expiry",
	"exception_withdrawn": "lost its exception by withdrawal",
	"network_lost":        "network lost",
	"network_back":        "network back",
}

func (t tongue) eventWord(event string) string {
	if said, ok := eventWords[event]; ok {
		return t.T(said)
	}
	return event
}

// shortened cuts a long text at a character, with a sign that it was cut.
func shortened(text string, limit int) string {
	short := printable(text, limit)
	if len(short) < len(text) && len([]rune(text)) > limit {
		return short + "…"
	}
	return short
}
