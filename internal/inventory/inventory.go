// Package inventory is the memory of a site: its devices across address
// changes, their states, the chain of events, exceptions and determinations,
// and the store that keeps them.
package inventory

import (
	"context"
	"hash/maphash"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"go.uber.org/zap"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// Options say where an inventory lives and what it may remember. The zero
// value is an inventory in memory that keeps every device for ever.
type Options struct {
	Dir          string // directory of camcensus.db; "" keeps everything in memory
	Site         string // "": as the store has it from whoever named it last
	MissingAfter int    // completed coverages without a sign; 0 means 3
	Retention    Retention
	Hostnames    string // cameras (the default) | all | none
	Now          func() time.Time
	Log          *zap.Logger
	// Judge judges stored evidence anew, without a packet; see Rejudge.
	Judge Judge
	// Uses tells whether any rule looks at a field; where a device says more
	// than is kept, what no rule looks at goes first. nil takes all alike.
	Uses func(kind, field string) bool
	// Existing has Open refuse a file that is missing, empty or damaged
	// (ErrDamaged), and leave it as it is: only an agent begins a new one.
	Existing bool
	// DetailLimit is the number of devices up to which Devices carries
	// Reasons and Contradictions; above it only Device and Details do. 0 means 10000.
	DetailLimit int
}

// Judge says what the evidence of a device adds up to and what the policies
// make of it.
type Judge func(dev Device, ev []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict)

// Retention is how long devices are kept after their last sign; 0 means for
// ever. Devices in which nothing ever suggested a camera leave no event
// behind.
type Retention struct {
	Unclassified time.Duration // nothing tells what it is
	NonCamera    time.Duration // known to be something else
	RandomMAC    time.Duration // unclassified, seen under locally administered MACs only
	Devices      time.Duration // cameras and all else that was ever counted
}

// DefaultRetention is the one of DESIGN section 6.
var DefaultRetention = Retention{Unclassified: 30 * day, NonCamera: 30 * day, RandomMAC: day}

const day = 24 * time.Hour

// Inventory is the memory of one site. Its methods may be called from any
// goroutine.
type Inventory struct {
	opt  Options
	log  *zap.Logger
	seed maphash.Seed

	mu      sync.RWMutex
	devices map[string]*entry
	most    int              // devices that are kept, but for those that answered
	order   []*entry         // by appearance; forgotten ones are taken out when it is read
	alias   map[string]alias // by the id that was merged away
	passing []string         // of those, the ones that are not stored, oldest first
	macs    map[hwaddr]*entry
	keys    map[key]*entry
	atIP    byAddress
	alsoAt  map[netip.Addr][]*entry // further devices at an address
	shared  map[string]bool         // identities that several devices show: no identity
	heirs   map[netip.Addr]*heirs
	apart   map[[2]string]bool // pairs a person split: never merged by themselves
	undo    map[string]*merged // by the id that was merged away
	words   map[string]string  // interned short strings
	warm    []*entry           // entries whose evidence is decoded, oldest first
	records recent

	// Values that many devices have in common, by their stored form.
	sourceForms  map[string][]string
	claimForms   map[string]*claims
	kins         map[likeness]*kin
	verdictForms map[string][]policy.Verdict

	places map[where]*where
	lastNo int64

	keptRecords []keptRecord // memory inventory

	chain      chain
	created    time.Time
	cycle      int
	cycleStart time.Time
	waiting    waiting
	given      []SplitOff // by the observation that is being taken in
	judgedBy   string     // by what every device was judged; see RejudgeUnless
	judging    bool       // whoever opened it keeps every device judged by that
	overruled  bool       // and has called Rejudge since: by what, it does not say
	changes    uint64     // grows with every visible change
	channels   atomic.Pointer[channels]
	snapshot   weak.Pointer[snapshot]
	readOnly   bool
	toldFull   time.Time // when the log said so last

	rejudging sync.Mutex    // all devices, one round after the other; taken before mu
	rejudges  atomic.Uint64 // calls of Rejudge
	rejudged  uint64        // the latest of them that began, under rejudging
	ending    atomic.Bool   // see EndJudging

	opened   time.Time
	lastRead atomic.Int64 // when somebody last read the list of devices, in ns since opened; see makeWay

	store *store // nil in memory
}

// alias is what became of an id: the device that lives on, and the number the
// merged one had in the store.
type alias struct {
	device string
	no     int64
}

// snapshot is one cached answer of Devices.
type snapshot struct {
	changes uint64
	devices []Device
}

// Open opens or creates the inventory. It refuses when another process holds
// it (ErrLocked).
func Open(ctx context.Context, o Options) (*Inventory, error) {
	i := newInventory(o)
	if o.Dir == "" {
		return i, nil
	}
	if err := i.openStore(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// follow takes over the options that may change while the agent runs.
func (o *Options) follow(fresh Options) {
	o.Site, o.MissingAfter, o.Retention, o.Hostnames = fresh.Site, fresh.MissingAfter, fresh.Retention, fresh.Hostnames
	if o.MissingAfter <= 0 {
		o.MissingAfter = 3
	}
	if o.Hostnames == "" {
		o.Hostnames = "cameras"
	}
}

// Follow takes over Site, MissingAfter, Retention and Hostnames; what may no
// longer be stored of a device goes when it is judged anew.
func (i *Inventory) Follow(o Options) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.opt.follow(o)
	i.keepSite()
	i.changes++
}

// keepSite has the store know of which site it is.
func (i *Inventory) keepSite() {
	if i.opt.Site != "" {
		i.store.put(setMeta, siteMeta, i.opt.Site)
	}
}

func newInventory(o Options) *Inventory {
	o.follow(o)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.DetailLimit == 0 {
		o.DetailLimit = 10000
	}
	i := &Inventory{opt: o, log: o.Log.Named("inventory"), seed: maphash.MakeSeed(), most: maxDevices, opened: time.Now()}
	i.lastRead.Store(int64(-readsTogether))
	i.reset()
	i.created = o.Now().UTC()
	i.cycleStart = i.created
	return i
}

func (i *Inventory) reset() {
	i.devices = map[string]*entry{}
	i.alias, i.passing = map[string]alias{}, nil
	i.order = nil
	i.macs = map[hwaddr]*entry{}
	i.keys = map[key]*entry{}
	i.atIP = byAddress{v4: map[[4]byte]*entry{}, v6: map[[16]byte]*entry{}}
	i.alsoAt = map[netip.Addr][]*entry{}
	i.shared = map[string]bool{}
	i.apart = map[[2]string]bool{}
	i.heirs = map[netip.Addr]*heirs{}
	i.undo = map[string]*merged{}
	i.words = map[string]string{}
	i.places = map[where]*where{}
	i.kins = map[likeness]*kin{}
}

func (i *Inventory) site() string {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.opt.Site
}

// Created is when the inventory's store was made.
func (i *Inventory) Created() time.Time {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.created
}

// Devices returns every device, oldest first. The slice and all it points to
// are never changed again; the caller must not change them either. Above
// Options.DetailLimit devices Reasons and Contradictions are left empty (use
// Device for those), and EachBrief spares the copy.
func (i *Inventory) Devices() []Device {
	i.mu.Lock()
	defer i.mu.Unlock()
	if s := i.snapshot.Value(); s != nil && s.changes == i.changes {
		return s.devices
	}
	s := &snapshot{changes: i.changes, devices: make([]Device, 0, len(i.devices))}
	detailed := len(i.devices) <= i.opt.DetailLimit
	if detailed {
		i.fetchShown()
	}
	for _, e := range i.sorted() {
		s.devices = append(s.devices, i.public(e, detailed))
	}
	i.snapshot = weak.Make(s)
	return s.devices
}

// Device returns one device with its reasons, by its id or by one that was
// merged into it.
func (i *Inventory) Device(id string) (Device, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	e := i.find(id)
	if e == nil {
		return Device{}, false
	}
	return i.public(e, true), true
}

// Bearer is the device that a MAC is its own of.
func (i *Inventory) Bearer(mac net.HardwareAddr) (id string, ok bool) {
	if len(mac) != 6 {
		return "", false
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	e := i.macs[hwaddr(mac)]
	if e == nil {
		return "", false
	}
	return e.id, true
}

// Len is the number of devices.
func (i *Inventory) Len() int {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return len(i.devices)
}

// find follows aliases.
func (i *Inventory) find(id string) *entry {
	for range 64 {
		if e := i.devices[id]; e != nil {
			return e
		}
		next, ok := i.alias[id]
		if !ok {
			return nil
		}
		id = next.device
	}
	return nil
}

// now is the injected clock in UTC.
func (i *Inventory) now() time.Time { return i.opt.Now().UTC() }

// intern returns one shared copy of a short string.
func (i *Inventory) intern(s string) string {
	if s == "" || len(s) > 256 {
		return s
	}
	if w, ok := i.words[s]; ok {
		return w
	}
	if len(i.words) > 1<<13 {
		clear(i.words)
	}
	w := strings.Clone(s)
	i.words[w] = w
	return w
}

// internBytes is intern of a text that is read over soon.
func (i *Inventory) internBytes(b []byte) string {
	if w, ok := i.words[string(b)]; ok {
		return w
	}
	return i.intern(string(b))
}
