// Package discovery finds the hosts of a site: the Source interface that
// every protocol implements, the sightings and evidence records they report,
// and Wire, the one way by which a packet may leave the machine.
package discovery

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Field is one named fact read off bytes: the Server header of an HTTP
// answer ("server"), a scope of a ProbeMatch ("scope.hardware"). Names are
// lower case; docs/fields.md lists them by record kind. Values are valid
// UTF-8 without control characters.
type Field struct {
	Name  string
	Value string
}

// Sighting is one received packet or answer that shows that a host exists.
type Sighting struct {
	Time      time.Time
	Source    string     // the source's name: "wsd", "arp" ...
	Interface string     // where it was received; "" for a routed host
	VLAN      uint16     // 802.1Q VLAN id, 0 when untagged
	IP        netip.Addr // who sent it; invalid when only a MAC is known (a DHCP DISCOVER)
	// MAC is the link-layer address the network showed for IP: the source
	// of the frame, an ARP or ND answer, the neighbour table, a router's
	// table. A MAC that only a payload names is a Field, not this.
	MAC  net.HardwareAddr
	Port uint16 // the UDP or TCP port that answered, 0 when unknown

	// Kind and Raw are the evidence: a record kind (DESIGN section 9) and
	// the bytes as received. Kind is empty when the packet merely shows that
	// the host lives.
	Kind      string
	Path      string
	Raw       []byte
	Truncated bool
	// Part counts the devices that one datagram names, from 0: a recorder
	// answers for its cameras too.
	Part int

	// Solicited is true only for an answer to a question put to this host
	// alone: a TCP connection we opened, or a unicast datagram whose answer
	// echoes our token. Multicast, ARP and stray UDP can be forged.
	Solicited bool
	// Announced is true when the host spoke up by itself (Hello, NOTIFY,
	// gratuitous ARP): the agent asks such a host at once.
	Announced bool
	// Departed is true for a goodbye (Bye, ssdp:byebye, TTL 0).
	Departed bool
	// Hearsay is true where another's table names the host (a router's, a
	// DHCP server's): it has not shown itself. Only hosts of routed networks
	// are told of so; on its own links this machine sees for itself.
	Hearsay bool
	// SwitchPort is where the MAC hangs, by a switch's own word:
	// "sw-lobby Gi1/0/7". A sighting that has it and no IP shows no host.
	SwitchPort string
}

// Sink receives sightings. It never blocks for long and keeps no reference to
// Raw or MAC after it returns, unless it copies them.
type Sink func(Sighting)

// Source is one way to get sightings. A Source is built for one run of the
// agent and used from one goroutine per method.
type Source interface {
	// Listen reports what is heard until ctx ends. It sends no packet beyond
	// the group membership that the kernel reports. A source with nothing to
	// listen to returns nil at once.
	Listen(ctx context.Context, sink Sink) error
	// Ask puts this cycle's questions and returns when the answers' window
	// has closed. It is called once a cycle, never twice at a time. What it
	// cannot do it reports by Status and returns nil; an error ends the
	// source for this cycle and is logged.
	Ask(ctx context.Context, round Round, sink Sink) error
	// Status says, per interface, whether the source can work and why not.
	Status() []Status
}

// Round is one cycle's frame: what is known already and what is to be asked.
type Round struct {
	Number int
	// Known are addresses sighted before, in scope, connected networks
	// only: the only ones that unicast questions may go to there.
	Known []netip.Addr
	// Progress is told how much of the source's work is done. May be nil.
	Progress func(done, total int)
	// Covered is told what a sweep tried and who answered. May be nil.
	Covered func(Coverage)
}

// Status is the health of a source on one interface.
type Status struct {
	Source    string
	Interface string // "" when the source is not bound to one
	Up        bool
	// Reason says in one line why it is down and what would mend it:
	// "needs CAP_NET_RAW: the kernel's neighbour table serves instead".
	Reason string
	// Auto is true when the source was left to itself (enabled: auto) and
	// stands down for want of a capability: shown, but no failure.
	Auto bool
}

// Coverage is what one sweep did in one network.
type Coverage struct {
	Network     netip.Prefix
	Source      string
	Tried       int // addresses that were asked
	Answered    int
	Excluded    int // addresses never asked because of exclude
	Unreachable int // addresses for which the network itself said so
	Bogus       int // answers that one middlebox gave for many addresses
	Finished    time.Time
}

// Request is one message a source can send, for the test that no write, login
// or reset message exists in the binary, and for check config.
type Request struct {
	Name  string // "Probe untyped", "inquiry"
	Bytes []byte // as sent, with a fixed token where a token stands
	To    string // "239.255.255.250:3702", "unicast:3702", "broadcast:7701"
}

// Protocol is the one descriptor that a protocol's room exports.
// internal/agent/sources.go lists them.
type Protocol struct {
	Name    string // the source's name, also its key under discovery.sources
	Summary string // one sentence: what it finds
	// Settings returns a pointer to a new settings struct that holds the
	// defaults; the config decodes discovery.sources.NAME into it (yaml tags,
	// unknown keys refused). Every settings struct embeds Enabled.
	Settings func() any
	// New builds the source. settings is what Settings returned, decoded.
	New func(env Env, settings any) (Source, error)
	// Kinds are the record kinds it writes; Fields parses them.
	Kinds []string
	// Fields reads the facts off one record's bytes. It is pure, never
	// panics, and bounds what it returns. Kinds without bytes have none.
	Fields func(kind string, raw []byte) []Field
	// Requests is every message it can send.
	Requests []Request
}
