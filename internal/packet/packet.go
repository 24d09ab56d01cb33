// Package packet is the raw Ethernet side of discovery: an AF_PACKET socket
// that the poller can wait on, kernel filters, and decoding of captured
// frames by gopacket behind one function that survives whatever arrives.
package packet

import (
	"errors"
	"net"
	"time"

	"golang.org/x/net/bpf"
)

// ErrNoCapability tells that the system refuses a raw socket: on Linux it
// wants CAP_NET_RAW, elsewhere there is none.
var ErrNoCapability = errors.New("needs CAP_NET_RAW")

// Options say how a raw socket is opened.
type Options struct {
	Interface string
	Index     int
	Filter    []bpf.RawInstruction // attached before the socket hears anything
	Promisc   bool                 // capture unicast frames between others too
	Groups    []net.HardwareAddr   // multicast addresses the interface must let in
	SendOnly  bool                 // never receives
}

// CaptureInfo is what the kernel tells of a frame beside its bytes.
type CaptureInfo struct {
	Interface string
	VLAN      uint16 // 802.1Q VLAN id of the tag the kernel took off, 0 when untagged
	Outgoing  bool   // sent by this machine
	ForOthers bool   // unicast to another MAC, seen in promiscuous mode
	Truncated bool   // longer than the buffer
	Time      time.Time
}

// Stats counts the frames that passed the filter since the socket was opened.
type Stats struct {
	Received uint64 // those dropped included
	Dropped  uint64 // for want of buffer space
}

// Multicast addresses that announcements of devices go to.
var (
	groupMDNS4 = net.HardwareAddr{0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb}
	groupMDNS6 = net.HardwareAddr{0x33, 0x33, 0x00, 0x00, 0x00, 0xfb}
	groupSSDP4 = net.HardwareAddr{0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfa} // WS-Discovery too
	groupWSD6  = net.HardwareAddr{0x33, 0x33, 0x00, 0x00, 0x00, 0x0c} // SSDP too
	groupDHIP4 = net.HardwareAddr{0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfb}
	groupTVT4  = net.HardwareAddr{0x01, 0x00, 0x5e, 0x37, 0x37, 0x37}
	groupAll6  = net.HardwareAddr{0x33, 0x33, 0x00, 0x00, 0x00, 0x01}
)

// AnnouncementGroups are the link-layer groups of mDNS, WS-Discovery, SSDP,
// SADP, DHIP, TVT and the IPv6 all-nodes group.
func AnnouncementGroups() []net.HardwareAddr {
	return []net.HardwareAddr{groupMDNS4, groupMDNS6, groupSSDP4, groupWSD6, groupDHIP4, groupTVT4, groupAll6}
}
