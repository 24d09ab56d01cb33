package snmp

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
)

// maxRows bounds what is kept of one column.
const maxRows = 1 << 16

// tables is what one device told, by column.
type tables map[string][]row

// add keeps a value; false means that there are enough.
func (t tables) add(column, oid string, octets []byte, number int64) bool {
	i, ok := index(column, oid)
	if !ok {
		return true
	}
	t[column] = append(t[column], row{index: i, octets: octets, number: number})
	return len(t[column]) < maxRows
}

// binding is an address and the MAC that a router has for it.
type binding struct {
	ip  netip.Addr
	mac [6]byte
}

// bindings are the neighbours that the device itself learnt from the wire.
func (t tables) bindings() []binding {
	seen := map[netip.Addr]bool{}
	var out []binding
	take := func(values, states string, address func([]uint32) (netip.Addr, bool), live func(int64) bool) {
		state := t.numbers(states)
		for _, r := range t[values] {
			ip, ok := address(r.index)
			n, known := state[key(r.index)]
			if !ok || seen[ip] || !unicast(r.octets) || known && !live(n) || ip.IsMulticast() || ip.IsUnspecified() {
				continue
			}
			seen[ip] = true
			out = append(out, binding{ip, [6]byte(r.octets)})
		}
	}
	take(oidPhysicalPhys, oidPhysicalState, physicalAddress, func(n int64) bool { return n >= physicalReachable && n < 5 || n == physicalUnknown })
	take(oidMediaPhys, oidMediaType, mediaAddress, func(n int64) bool { return n == mediaDynamic })
	return out
}

// numbers are the values of a column by their index.
func (t tables) numbers(column string) map[string]int64 {
	out := make(map[string]int64, len(t[column]))
	for _, r := range t[column] {
		out[key(r.index)] = r.number
	}
	return out
}

func key(index []uint32) string {
	b := make([]byte, 0, 4*len(index))
	for _, n := range index {
		b = strconv.AppendUint(b, uint64(n), 10)
		b = append(b, '.')
	}
	return string(b)
}

// name is what the device calls itself, else its address.
func (t tables) name(otherwise netip.Addr) string {
	for _, r := range t[oidSysName] {
		if s := label(r.octets); s != "" {
			return s
		}
	}
	return otherwise.String()
}

// place is a port at which a MAC was seen.
type place struct {
	text   string
	uplink bool // another bridge hangs on it
	others int  // MACs at the port
}

// better: an edge port rather than an uplink, then the port with fewer MACs.
func (p place) better(o place) bool {
	if p.uplink != o.uplink {
		return o.uplink
	}
	return p.others < o.others
}

// ports tells at which port of the device each MAC is.
func (t tables) ports(device string) map[[6]byte]place {
	at := map[[6]byte]uint32{}
	t.forwarding(at, oidFdbPort, oidFdbStatus, 0)
	t.forwarding(at, oidQFdbPort, oidQFdbStatus, 1)
	count := map[uint32]int{}
	for _, port := range at {
		count[port]++
	}
	names, uplinks := t.portNames(), t.uplinks()
	out := make(map[[6]byte]place, len(at))
	for mac, port := range at {
		name := names[port]
		if name == "" {
			name = "port " + strconv.Itoa(int(port))
		}
		p := place{text: device + " " + name, uplink: uplinks[name] || uplinks[strconv.Itoa(int(port))], others: count[port]}
		if p.uplink {
			p.text += " (towards another switch)"
		}
		out[mac] = p
	}
	return out
}

// forwarding takes what the bridge has learnt; port 0 means that it does not
// know.
func (t tables) forwarding(at map[[6]byte]uint32, ports, states string, before int) {
	state := t.numbers(states)
	for _, r := range t[ports] {
		mac, ok := tailMAC(r.index, before)
		if n, known := state[key(r.index)]; !ok || known && n != fdbLearned || r.number <= 0 || r.number > 1<<20 {
			continue
		}
		at[mac] = uint32(r.number)
	}
}

// portNames are the interfaces' names by bridge port.
func (t tables) portNames() map[uint32]string {
	byIndex := map[uint32]string{}
	for _, column := range []string{oidIfDescr, oidIfName} { // the short name wins
		for _, r := range t[column] {
			if s := label(r.octets); len(r.index) == 1 && s != "" {
				byIndex[r.index[0]] = s
			}
		}
	}
	out := map[uint32]string{}
	for _, r := range t[oidBasePortIfIndex] {
		if len(r.index) == 1 && r.number > 0 && r.number < 1<<32 {
			out[r.index[0]] = byIndex[uint32(r.number)]
		}
	}
	return out
}

// uplinks are the ports, by name and by number, at which LLDP hears a bridge.
func (t tables) uplinks() map[string]bool {
	local := map[uint32]string{}
	for _, r := range t[oidLLDPLocalPort] {
		if len(r.index) == 1 {
			local[r.index[0]] = label(r.octets)
		}
	}
	out := map[string]bool{}
	for _, r := range t[oidLLDPCapabilities] {
		if len(r.index) != 3 || len(r.octets) == 0 || r.octets[0]&capabilityBridge == 0 {
			continue
		}
		if name := local[r.index[1]]; name != "" {
			out[name] = true
		} else {
			out[strconv.Itoa(int(r.index[1]))] = true
		}
	}
	return out
}

// nearest keeps, of several switches' words, the port that lies nearest to
// each MAC.
func nearest(all []map[[6]byte]place) map[[6]byte]string {
	best := map[[6]byte]place{}
	for _, one := range all {
		for mac, p := range one {
			if have, ok := best[mac]; !ok || p.better(have) {
				best[mac] = p
			}
		}
	}
	out := make(map[[6]byte]string, len(best))
	for mac, p := range best {
		out[mac] = p.text
	}
	return out
}

// sorted gives a map of MACs an order.
func sorted(m map[[6]byte]string) [][6]byte {
	keys := make([][6]byte, 0, len(m))
	for mac := range m {
		keys = append(keys, mac)
	}
	slices.SortFunc(keys, func(a, b [6]byte) int { return cmp.Compare(string(a[:]), string(b[:])) })
	return keys
}
