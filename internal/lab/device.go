package lab

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Device is one simulated host: who it is, where it is, what it says and what is wrong with it.
type Device struct {
	Name     string   `yaml:"name"`
	Kind     string   `yaml:"kind"`
	Segment  string   `yaml:"segment"`
	Behind   string   `yaml:"behind"` // the router's name, for a device of a routed network
	IPs      addrList `yaml:"ip"`
	IPv6     addrList `yaml:"ipv6"`
	MAC      hardware `yaml:"mac"`
	OUI      string   `yaml:"oui"` // prefix for a MAC that is made up from the name
	Model    string   `yaml:"model"`
	Serial   string   `yaml:"serial"`
	Firmware string   `yaml:"firmware"`
	Brand    string   `yaml:"brand"`
	Hostname string   `yaml:"hostname"`
	UUID     string   `yaml:"uuid"`
	// Vars are further texts for the templates of its kind.
	Vars map[string]string `yaml:"vars"`

	// Unplugged devices start without a cable; PlugAfter puts it in that long after the start.
	Unplugged bool          `yaml:"unplugged"`
	PlugAfter time.Duration `yaml:"plug_after"`
	// Hidden devices answer nothing but ARP (a firewall); LinkLocal gives an IPv6 link-local address made of the MAC.
	Hidden    bool `yaml:"hidden"`
	LinkLocal bool `yaml:"link_local"`
	// Stateless devices have an address made of the MAC in the segment's IPv6 prefix as well (RFC 4862).
	Stateless bool `yaml:"stateless"`
	NoARP     bool `yaml:"no_arp"`
	NoEcho    bool `yaml:"no_echo"`
	// Filtered drops TCP to closed ports instead of refusing it.
	Filtered bool `yaml:"filtered"`
	// Quiet devices make no ARP announcement when plugged in; their DHCP request, if any, is all that is heard.
	Quiet bool `yaml:"quiet"`
	// ProxyARP is a network for which the device answers every ARP request.
	ProxyARP netip.Prefix `yaml:"proxy_arp"`

	WSD    *WSD                 `yaml:"wsd"`
	MDNS   *MDNS                `yaml:"mdns"`
	DHCP   *DHCP                `yaml:"dhcp"`
	UDP    map[string]*Datagram `yaml:"udp"`
	Ports  map[uint16]*Port     `yaml:"ports"`
	Web    map[string]*Web      `yaml:"web"`
	RTSP   *RTSP                `yaml:"rtsp"`
	TLS    *TLS                 `yaml:"tls"`
	Faults Faults               `yaml:"faults"`
	Truth  Truth                `yaml:"truth"`

	segment int
	router  *Device
	prefix  netip.Prefix
	ll      netip.Addr
}

// Truth is what a tool that looks at the device ought to conclude. An empty field means that nothing it says shows it.
type Truth struct {
	Maker string `yaml:"maker"` // who made it, as rules name makers
	Brand string `yaml:"brand"` // whose label it bears
	Model string `yaml:"model"`
	Class string `yaml:"class"` // DESIGN's words: camera, recorder, doorbell, ..., other, unknown
	// Verdicts holds the expected verdict by policy; it lists only policies that matter to the device.
	Verdicts map[string]string `yaml:"verdicts"`
	// Channels is how many channels a recorder declares.
	Channels int `yaml:"channels"`
	// Layer2 is true for a device on a foreign subnet: it can be heard, not reached.
	Layer2 bool `yaml:"layer2"`
	// Innocent devices must never be flagged under any list.
	Innocent bool `yaml:"innocent"`
	// SameAs names the device that this one only pretends to be another host of (a second address, a proxy).
	SameAs string `yaml:"same_as"`
}

// Faults is what is wrong with a device.
type Faults struct {
	// Loss is the share of frames from and to it that vanish, 0 to 1.
	Loss float64 `yaml:"loss"`
	// Slow is added to every answer; a TCP answer then comes a few bytes at a time.
	Slow time.Duration `yaml:"slow"`
	// TCP is one of silent (accepts and says nothing), resets (cuts the answer), endless (never ends the body), malformed (garbage).
	TCP string `yaml:"tcp"`
	// UDP is one of silent, malformed, endless (answers a hundred times).
	UDP string `yaml:"udp"`
	// AcceptsAll accepts a TCP connection to every port (a middlebox), and for every address that it answers ARP for.
	AcceptsAll bool `yaml:"accepts_all"`
}

// WSD is how a device speaks WS-Discovery (research: protocols 1).
type WSD struct {
	Style    string        `yaml:"style"`     // the envelope, a name in kinds
	Answers  []string      `yaml:"answers"`   // untyped, transmitter, device, oasis (the 2009 namespace): the probes it answers
	FaultsOn []string      `yaml:"faults_on"` // untyped, multiline: answered by a fault
	Deaf     []string      `yaml:"deaf_to"`   // unicast, multicast: not heard
	Types    string        `yaml:"types"`     // white-space separated, a template
	Scopes   []string      `yaml:"scopes"`    // templates
	XAddrs   []string      `yaml:"xaddrs"`    // templates
	EPR      string        `yaml:"epr"`       // template, default urn:uuid: and the device's UUID
	Version  int           `yaml:"version"`   // MetadataVersion
	Hello    bool          `yaml:"hello"`     // says Hello when plugged in
	Bye      bool          `yaml:"bye"`       // says Bye when unplugged
	Repeats  int           `yaml:"repeats"`   // further copies of an answer, 50 ms apart
	Matches  []Match       `yaml:"matches"`   // further matches in the same answer (a recorder that relays its cameras)
	Delay    time.Duration `yaml:"delay"`     // before an answer
	Trailing string        `yaml:"trailing"`  // bytes after the envelope, a template of hex
}

// Match is a further ProbeMatch in an answer.
type Match struct {
	EPR    string   `yaml:"epr"`
	Types  string   `yaml:"types"`
	Scopes []string `yaml:"scopes"`
	XAddrs []string `yaml:"xaddrs"`
}

// MDNS is what a device publishes by multicast DNS: resource records in the form of a zone file, as templates.
type MDNS struct {
	Records  []string      `yaml:"records"`
	Announce bool          `yaml:"announce"`
	Delay    time.Duration `yaml:"delay"`
	// NoUnicast devices answer by multicast only.
	NoUnicast bool `yaml:"no_unicast"`
}

// DHCP is the request that a device broadcasts when it is plugged in, and every Every after.
type DHCP struct {
	Hostname    string        `yaml:"hostname"`
	VendorClass string        `yaml:"vendor_class"`
	Parameters  []int         `yaml:"parameters"` // option 55
	Every       time.Duration `yaml:"every"`
}

// Datagram is one UDP exchange: what is asked on Port, what is answered, and what is announced unasked.
type Datagram struct {
	Port   uint16   `yaml:"port"`
	Groups addrList `yaml:"groups"` // multicast groups it has joined
	// Asked is a regular expression over the request as text; AskedHex one over its hexadecimal digits. Named groups are .Match in the answer.
	Asked    string `yaml:"asked"`
	AskedHex string `yaml:"asked_hex"`
	Answer   string `yaml:"answer"`     // a template
	Hex      string `yaml:"answer_hex"` // a template that gives hexadecimal digits and white space
	// CRLF ends the lines of Answer with CR LF.
	CRLF bool `yaml:"crlf"`
	// To is where the answer goes: sender (default), a port of the sender (":7711"), or an address and port ("239.255.255.250:37020").
	To       string        `yaml:"to"`
	FromPort uint16        `yaml:"from_port"` // default Port
	Delay    time.Duration `yaml:"delay"`
	// Head is a template of hex before the answer; .Match.length is the length of what follows.
	Head      string `yaml:"head_hex"`
	NoUnicast bool   `yaml:"no_unicast"`
	Announce  *Shout `yaml:"announce"`
}

// Shout is what a device says unasked.
type Shout struct {
	To    netip.AddrPort `yaml:"to"`
	From  uint16         `yaml:"from_port"`
	Every time.Duration  `yaml:"every"` // 0: once, when plugged in
	Text  string         `yaml:"text"`
	Hex   string         `yaml:"hex"`
	CRLF  bool           `yaml:"crlf"`
}

// Port is what listens on a TCP port: a web server, RTSP, a banner, or nothing that speaks.
type Port struct {
	Web    string `yaml:"web"` // a name in Device.Web
	TLS    bool   `yaml:"tls"`
	RTSP   bool   `yaml:"rtsp"`
	Banner string `yaml:"banner"`
	Open   bool   `yaml:"open"` // accepts, says nothing
}

// Web is a web server: headers that every answer has, and answers by path.
type Web struct {
	Headers []string `yaml:"headers"`
	// Routes by "METHOD /path", "/path?query", "/path", "/prefix/*" or "*", the first that holds in this order.
	Routes map[string]*Route `yaml:"routes"`
	// BareLF ends header lines with LF alone.
	BareLF bool `yaml:"bare_lf"`
}

// Route is one answer.
type Route struct {
	Status  int      `yaml:"status"`
	Reason  string   `yaml:"reason"`
	Headers []string `yaml:"headers"`
	Type    string   `yaml:"type"` // Content-Type
	Body    string   `yaml:"body"` // a template
	Hex     string   `yaml:"body_hex"`
	// Actions choose by the first element of a SOAP body.
	Actions map[string]*Route `yaml:"actions"`
}

// RTSP is a streaming server: answers by method.
type RTSP struct {
	Headers []string          `yaml:"headers"`
	Methods map[string]*Route `yaml:"methods"`
}

// TLS is the certificate that a device shows.
type TLS struct {
	Subject string   `yaml:"subject"` // template, RFC 4514: CN=...,O=...
	Issuer  string   `yaml:"issuer"`  // empty: self-signed
	Names   []string `yaml:"names"`
}

// Addr returns the device's first IPv4 address, or its first IPv6 one, or its link-local one.
func (d *Device) Addr() netip.Addr {
	switch {
	case len(d.IPs) > 0:
		return d.IPs[0]
	case len(d.IPv6) > 0:
		return d.IPv6[0]
	}
	return d.ll
}

// Addresses returns every address of the device.
func (d *Device) Addresses() []netip.Addr {
	all := append(append([]netip.Addr{}, d.IPs...), d.IPv6...)
	if d.ll.IsValid() {
		all = append(all, d.ll)
	}
	return all
}

// HardwareAddr returns the device's MAC.
func (d *Device) HardwareAddr() net.HardwareAddr { return net.HardwareAddr(d.MAC[:]) }

// wire returns the MAC that stands on the wire for the device: its router's, when it is behind one.
func (d *Device) wire() hardware {
	if d.router != nil {
		return d.router.MAC
	}
	return d.MAC
}

func (d *Device) has(ip netip.Addr) bool {
	for _, own := range d.IPs {
		if own == ip {
			return true
		}
	}
	for _, own := range d.IPv6 {
		if own == ip {
			return true
		}
	}
	return d.ll.IsValid() && d.ll == ip
}

type hardware [6]byte

func (h *hardware) UnmarshalText(text []byte) error {
	mac, err := net.ParseMAC(string(text))
	if err != nil || len(mac) != len(h) {
		return fmt.Errorf("%q is no MAC", text)
	}
	copy(h[:], mac)
	return nil
}

func (h hardware) String() string { return net.HardwareAddr(h[:]).String() }

// addrList is one address or several.
type addrList []netip.Addr

func (l *addrList) UnmarshalYAML(decode func(any) error) error {
	var one netip.Addr
	if decode(&one) == nil {
		*l = addrList{one}
		return nil
	}
	var many []netip.Addr
	if err := decode(&many); err != nil {
		return err
	}
	*l = many
	return nil
}
