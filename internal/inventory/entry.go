package inventory

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// entry is a device as it is kept in memory: small, because there may be a
// hundred thousand. What many have alike is shared, and what few have hangs on a
// pointer; kin, rare and held are never nil, and changed by their setters only.
type entry struct {
	id    string
	no    int64 // in the store: in order of appearance
	first int64 // Unix nanoseconds, as all times here
	last  int64
	// confirmed is when a serial, endpoint or payload MAC of this device was
	// last repeated.
	confirmed int64
	stored    int64 // last, as the store has it
	bindings  []binding
	macs      []hwaddr // every MAC that is its own
	keys      []key
	marks     []mark
	serial    string
	*kin
	*rare
	*held

	bindSeq   uint32
	missed    uint8
	sibling   bool // shares its address with another device, rightly
	tracked   bool // something suggested a camera: its history is in the chain
	unsteady  bool // names itself anew each time
	warm      bool // in Inventory.warm
	dirty     bool // the small part awaits the writer
	coldDirty bool
	gone      bool // merged or expired: no longer in the inventory
}

// kin is what many devices have in common: one value stands for all that are
// alike, and is never changed.
type kin struct {
	state    State
	claims   *claims
	where    *where
	sources  []string
	verdicts []policy.Verdict
}

// likeness tells two of them apart: their parts are shared already.
type likeness struct {
	state               State
	claims              *claims
	where               *where
	sources             *string
	verdicts            *policy.Verdict
	nSources, nVerdicts int
}

// liken changes what a device has in common with others: a is a changed copy of
// what it had.
func (i *Inventory) liken(e *entry, a kin) {
	k := likeness{a.state, a.claims, a.where, unsafe.SliceData(a.sources), unsafe.SliceData(a.verdicts), len(a.sources), len(a.verdicts)}
	if known := i.kins[k]; known != nil {
		e.kin = known
		return
	}
	if len(i.kins) > 8192 {
		clear(i.kins)
	}
	fresh := a
	i.kins[k], e.kin = &fresh, &fresh
}

func (i *Inventory) setState(e *entry, s State) {
	a := *e.kin
	a.state = s
	i.liken(e, a)
}

// rare is what few devices have.
type rare struct {
	hostnames []string
	returned  int64
	people    *people
}

var nothingRare = &rare{}

// seldom gives the device a value of its own to write to.
func (e *entry) seldom() *rare {
	if e.rare == nothingRare {
		e.rare = &rare{}
	}
	return e.rare
}

// held is what is at hand of a device's evidence.
type held struct {
	cold   *cold  // decoded, or nil
	shown  *shown // what of it Devices shows, or nil
	packed []byte // cold as stored (in memory), or as it awaits the writer (not sealed yet)
}

var nothingHeld = &held{}

// hold gives the device a value of its own to write to.
func (e *entry) hold() *held {
	if e.held == nothingHeld {
		e.held = &held{}
	}
	return e.held
}

// dropCold lets go of decoded and packed evidence.
func (e *entry) dropCold() {
	if e.held != nothingHeld {
		e.held = &held{shown: e.shown}
		e.letGo()
	}
}

// letGo gives the device's own value up where nothing is at hand.
func (e *entry) letGo() {
	if h := e.held; h.cold == nil && h.shown == nil && h.packed == nil {
		e.held = nothingHeld
	}
}

// claims are what the identity says, shared between like devices.
type claims struct {
	manufacturer, brand, model, firmware string
	class                                fingerprint.Class
	certainty                            float64
	channels                             int
	maybe                                bool // may be a camera
}

// where is how a device is reached, shared between like devices.
type where struct {
	iface, reach, port string // port: of a switch
}

var nowhere = &where{}

var noClaims = &claims{class: fingerprint.ClassUnknown}

// people is what persons said of a device.
type people struct {
	determination *Determination
	annotations   Annotations
	exceptions    []Exception
	removal       *Removal
	decided       *decided // not stored
}

// binding is the device at one IP, with the MAC seen there, since a time.
type binding struct {
	at    address
	mac   hwaddr // zero when the network shows none
	live  bool
	no    uint32 // within the device, never reused
	since int64  // it is, or was, live
	last  int64
}

func (b *binding) ip() netip.Addr { return b.at.addr() }

// address is a netip.Addr without a zone, small and without a pointer that the
// garbage collector would follow a hundred thousand times.
type address struct {
	bytes [16]byte
	v4    bool
}

func addressOf(ip netip.Addr) address { return address{ip.As16(), ip.Is4()} }

func (a address) addr() netip.Addr {
	ip := netip.AddrFrom16(a.bytes)
	if a.v4 {
		return ip.Unmap()
	}
	return ip
}

// cold is the part of a device that is read when it is judged or shown alone.
type cold struct {
	items          []item
	reasons        []fingerprint.Reason
	contradictions []string
	// texts are what the verdicts say in words: policy, text, policy, text ...
	// They cite what the device said, and are each device's own.
	texts []string
	// lost: what it was judged by went with a damaged file, and nothing since
	// settled it.
	lost bool
}

// maxBindings bounds the addresses one device is remembered under.
const maxBindings = 16

// liveAt returns the live binding to ip.
func (e *entry) liveAt(ip netip.Addr) *binding {
	for n := range e.bindings {
		if e.bindings[n].ip() == ip && e.bindings[n].live {
			return &e.bindings[n]
		}
	}
	return nil
}

// hardware tells whether anything but an address identifies the device.
func (e *entry) hardware() bool { return len(e.macs) > 0 || e.named() }

// named: it has a serial or an endpoint. A certificate is not enough: makers
// ship one with every camera.
func (e *entry) named() bool {
	return slices.ContainsFunc(e.keys, func(k key) bool { return k.kind() != keyCert })
}

func (e *entry) burnedIn() bool { return slices.ContainsFunc(e.macs, hwaddr.burnedIn) }

// randomOnly tells whether the device was seen under locally administered
// MACs only.
func (e *entry) randomOnly() bool { return len(e.macs) > 0 && !e.burnedIn() }

// annotated tells whether persons said anything of it that still stands.
func (e *entry) annotated() bool {
	p := e.people
	return p != nil && (p.determination != nil || p.annotations != Annotations{} || len(p.exceptions) > 0 || p.removal != nil)
}

func (e *entry) person() *people {
	if e.people == nil {
		e.seldom().people = &people{}
	}
	return e.people
}

// public builds the device as others see it.
func (i *Inventory) public(e *entry, detailed bool) Device {
	c := e.claims
	d := Device{
		ID: e.id, Site: i.opt.Site,
		IPs: e.addresses(), MACs: e.macTexts(), Hostnames: none(e.hostnames),
		Interface: e.where.iface, Reachability: e.where.reach, SwitchPort: e.where.port,
		Manufacturer: c.manufacturer, Brand: c.brand, Model: c.model, Firmware: c.firmware,
		Serial: e.serial, Class: c.class, Certainty: c.certainty, Channels: c.channels,
		State: e.state, Sources: none(e.sources),
		FirstSeen: at(e.first), LastSeen: at(e.last), Returned: at(e.returned),
		Verdicts: i.excepted(e), Reasons: []fingerprint.Reason{}, Contradictions: []string{},
	}
	if d.Reachability == "" {
		d.Reachability = "ip"
	}
	if p := e.people; p != nil {
		d.Annotations, d.Removal = p.annotations, p.removal
		d.determined(p.determination)
		d.Exceptions = slices.Clone(p.exceptions)
	}
	if detailed {
		s := i.shownOf(e)
		d.Reasons, d.Contradictions = s.reasons, s.contradictions
		d.Verdicts = worded(d.Verdicts, s.texts)
	}
	return d
}

// determined puts a person's finding beside what the evidence says, which it
// overrules.
func (d *Device) determined(by *Determination) {
	d.Determination, d.BySigns = by, ""
	if by != nil {
		d.BySigns, d.Manufacturer = d.Manufacturer, by.Manufacturer
	}
}

// shown are the reasons of a device, kept at hand in an inventory small enough
// for Devices to carry them.
type shown struct {
	reasons        []fingerprint.Reason
	contradictions []string
	texts          []string
}

// worded gives the verdicts their words.
func worded(verdicts []policy.Verdict, texts []string) []policy.Verdict {
	if len(texts) == 0 {
		return verdicts
	}
	out := slices.Clone(verdicts)
	for n := range out {
		for k := 0; k+1 < len(texts); k += 2 {
			if texts[k] == out[n].Policy {
				out[n].Text = texts[k+1]
			}
		}
	}
	return out
}

func (i *Inventory) shownOf(e *entry) *shown {
	if e.shown != nil {
		return e.shown
	}
	s := i.toShow(e)
	if len(i.devices) <= i.opt.DetailLimit {
		e.hold().shown = s
	}
	return s
}

// toShow reads what is shown of a device, and leaves the rest of its evidence
// where it is: a page is looked at, not worked on.
func (i *Inventory) toShow(e *entry) *shown {
	form := e.packed
	switch {
	case e.cold != nil || form != nil && i.store != nil:
		return show(i.coldOf(e))
	case form == nil && i.store != nil:
		form, _ = i.store.cold(e.no) // that it was not read is told
	}
	if form == nil {
		return show(nil)
	}
	s, err := decodeShown(i, form)
	if err != nil {
		i.unreadable(e.id, err)
		return show(nil)
	}
	return s
}

func show(c *cold) *shown {
	if c == nil {
		return &shown{reasons: []fingerprint.Reason{}, contradictions: []string{}}
	}
	return &shown{none(c.reasons), none(c.contradictions), c.texts}
}

// excepted returns the verdicts with the exceptions in force marked.
func (i *Inventory) excepted(e *entry) []policy.Verdict {
	if e.people == nil || len(e.people.exceptions) == 0 {
		return none(e.verdicts)
	}
	now := i.now()
	out := slices.Clone(e.verdicts)
	for n := range out {
		out[n].Excepted = slices.ContainsFunc(e.people.exceptions, func(x Exception) bool {
			return x.Policy == out[n].Policy && now.Before(x.Expires)
		})
	}
	return none(out)
}

// addresses are the live ones, latest first, or the last one known.
func (e *entry) addresses() []string {
	if len(e.bindings) == 1 {
		return []string{e.bindings[0].ip().String()}
	}
	out := make([]string, 0, 2)
	for _, b := range e.latest() {
		if text := b.ip().String(); b.live && len(out) < maxBindings && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 && len(e.bindings) > 0 {
		out = append(out, e.latest()[0].ip().String())
	}
	return out
}

// latest returns the bindings, the latest first; IPv4 before IPv6.
func (e *entry) latest() []binding {
	if len(e.bindings) < 2 {
		return e.bindings
	}
	out := slices.Clone(e.bindings)
	slices.SortStableFunc(out, func(a, b binding) int {
		if a.ip().Is4() != b.ip().Is4() {
			if a.ip().Is4() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.since, a.since), a.ip().Compare(b.ip()))
	})
	return out
}

func (e *entry) macTexts() []string {
	out := make([]string, 0, len(e.macs))
	for _, m := range e.macs {
		out = append(out, m.String())
	}
	return out
}

// addMAC keeps the list with the lowest burned-in MAC first.
func (e *entry) addMAC(m hwaddr) bool {
	if slices.Contains(e.macs, m) {
		return false
	}
	e.macs = append(slices.Clip(e.macs), m)
	slices.SortFunc(e.macs, compareMACs)
	return true
}

// sorted returns the entries in order of appearance.
func (i *Inventory) sorted() []*entry {
	if len(i.order) != len(i.devices) {
		i.order = slices.DeleteFunc(i.order, func(e *entry) bool { return e.gone })
	}
	if !slices.IsSortedFunc(i.order, byNumber) {
		slices.SortFunc(i.order, byNumber)
	}
	return i.order
}

func byNumber(a, b *entry) int { return cmp.Compare(a.no, b.no) }

// put adds an entry to the inventory.
func (i *Inventory) put(e *entry) {
	i.devices[e.id] = e
	i.order = append(i.order, e)
}

// touch marks the small part of e as changed, to be seen and to be stored.
func (i *Inventory) touch(e *entry) {
	i.changes++
	i.enqueue(e)
}

// at turns stored nanoseconds into a time; 0 is the zero time.
func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// none turns nil into an empty slice, so that JSON shows [] and not null.
func none[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
