// Package packet is the raw Ethernet side of discovery: an AF_PACKET socket
// that the poller can wait on, kernel filters, and decoding of captured
// frames by gopacket behind one function that survives whatever arrives.
package packet

import (
	"errors"
	"time"
)

// ErrNoCapability tells that the system refuses a raw socket: on Linux it
// wants CAP_NET_RAW, elsewhere there is none.
var ErrNoCapability = errors.New("needs CAP_NET_RAW")

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
