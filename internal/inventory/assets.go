package inventory

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Match is an asset list from elsewhere held against the inventory.
type Match struct {
	Both      []Asset  `json:"both"`       // known here and there
	OnlyThere []Asset  `json:"only_there"` // in the list, not found here
	OnlyHere  []Device `json:"only_here"`  // found here, not in the list
	Columns   Columns  `json:"columns"`
}

// Asset is one line of the list.
type Asset struct {
	Line   int    `json:"line"`
	Name   string `json:"name,omitempty"`
	MAC    string `json:"mac,omitempty"`
	Serial string `json:"serial,omitempty"`
	IP     string `json:"ip,omitempty"`
	// Device and By tell what it matched, and by which of mac, serial, ip.
	Device string `json:"device,omitempty"`
	By     string `json:"by,omitempty"`
	// Note tells what in the line could not be read, or speaks against the
	// match.
	Note string `json:"note,omitempty"`

	macs []string // the cells of MAC, each by itself
}

// Import reads an asset list as CSV (see assetlist.go) and matches each line by
// MAC, else serial, else IP; by IP only where neither MAC nor serial says that
// another device is there now. It changes nothing.
func (i *Inventory) Import(r io.Reader) (*Match, error) {
	list, columns, err := readAssets(r)
	if err != nil {
		return nil, fmt.Errorf("inventory: import: %w", err)
	}
	m := &Match{Both: []Asset{}, OnlyThere: []Asset{}, OnlyHere: []Device{}, Columns: columns}
	found, serials := map[string]int{}, i.serials()
	for _, a := range list {
		a = i.match(a, serials)
		if a.Device == "" {
			m.OnlyThere = append(m.OnlyThere, a)
			continue
		}
		if line, twice := found[a.Device]; twice {
			a.Note = joinLine(a.Note, fmt.Sprintf("line %d is the same device", line))
		} else {
			found[a.Device] = a.Line
		}
		m.Both = append(m.Both, a)
	}
	for _, d := range i.Devices() {
		if _, known := found[d.ID]; !known && d.State != Removed && (cameraLike(d.Class) || flagged(d.Verdicts)) {
			m.OnlyHere = append(m.OnlyHere, d)
		}
	}
	return m, nil
}

// serials lists the devices by serial, oldest first.
func (i *Inventory) serials() map[string][]*entry {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := map[string][]*entry{}
	for _, e := range i.sorted() {
		if s := normalSerial(e.serial); s != "" {
			out[s] = append(out[s], e)
		}
	}
	return out
}

// named is what a line names a device by, as far as it could be read.
type named struct {
	macs   []hwaddr
	serial string
	ips    []netip.Addr
}

// read takes the line's addresses apart, and notes those that are none.
func (a *Asset) read() named {
	n := named{serial: normalSerial(a.Serial)}
	if roundedNumber.MatchString(a.Serial) {
		n.serial = ""
		a.note("a spreadsheet has rounded the serial " + a.Serial + ", its digits are lost: keep that column as text")
	}
	for _, cell := range a.macs {
		for _, text := range addressesIn(cell, looseMAC(cell) != cell) {
			m, err := net.ParseMAC(looseMAC(text))
			h, ok := hardwareAddress(m)
			if err != nil || !ok {
				a.note("not a MAC: " + text)
				continue
			}
			n.macs = append(n.macs, h)
		}
	}
	for _, text := range addressesIn(a.IP, false) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			a.note("not an IP: " + text)
			continue
		}
		n.ips = append(n.ips, ip.Unmap())
	}
	return n
}

func (a *Asset) note(text string) { a.Note = joinLine(a.Note, text) }

// match finds the device of a line: MAC before serial before IP, and notes what
// speaks against it.
func (i *Inventory) match(a Asset, serials map[string][]*entry) Asset {
	i.mu.RLock()
	defer i.mu.RUnlock()
	n := a.read()
	same := serials[n.serial]
	for _, m := range n.macs {
		if e := i.macs[m]; e != nil && a.Device == "" {
			a.Device, a.By = e.id, "mac"
		}
	}
	if len(same) > 0 && a.Device == "" {
		at := max(slices.IndexFunc(same, n.isAt), 0)
		a.Device, a.By = same[at].id, "serial"
	}
	if e := i.devices[a.Device]; e != nil {
		i.noteOthers(&a, n, e, same)
		return a
	}
	for _, ip := range n.ips {
		for _, e := range i.allAt(ip) {
			if n.speaksAgainst(e) {
				continue
			}
			a.Device, a.By = e.id, "ip"
			if serials := n.serial != "" && normalSerial(e.serial) != ""; !serials && (a.MAC != "" || a.Serial != "") {
				a.note("only the IP agrees: another device may have it now")
			}
			i.noteRemoval(&a, e)
			return a
		}
	}
	i.noteAddress(&a, n, nil)
	return a
}

// noteOthers notes what in the line is not the device's, and whose it is.
func (i *Inventory) noteOthers(a *Asset, n named, e *entry, same []*entry) {
	own := slices.ContainsFunc(n.macs, func(m hwaddr) bool { return slices.Contains(e.macs, m) })
	for _, m := range n.macs {
		if other := i.macs[m]; other != nil && other != e {
			a.note("the MAC " + m.String() + " is that of another device: " + other.id)
		}
	}
	if !own && len(n.macs) > 0 && len(e.macs) > 0 {
		a.note("here its MAC is " + e.macs[0].String())
	}
	switch {
	case len(same) > 0 && !slices.Contains(same, e):
		a.note("the serial is that of another device: " + same[0].id)
	case len(same) > 1:
		a.note(fmt.Sprintf("%d devices have this serial", len(same)))
	case !n.agrees(e):
		a.note("here its serial is " + clip(oneLine(e.serial), 64))
	}
	if at := e.addresses(); len(n.ips) > 0 && len(at) > 0 && !n.isAt(e) {
		a.note("here its address is " + at[0])
		i.noteAddress(a, n, e)
	}
	i.noteRemoval(a, e)
}

// noteAddress notes who is at the line's addresses, but for its own device.
func (i *Inventory) noteAddress(a *Asset, n named, own *entry) {
	for _, ip := range n.ips {
		for _, e := range i.allAt(ip) {
			switch {
			case e == own:
			case e.state == Present:
				a.note("another device is at that address now: " + e.id)
			default:
				a.note("another device was last at that address: " + e.id + " (" + string(e.state) + ")")
			}
		}
	}
}

func (i *Inventory) noteRemoval(a *Asset, e *entry) {
	if e.state != Removed {
		return
	}
	when := ""
	if p := e.people; p != nil && p.removal != nil {
		when = " on " + p.removal.Time.UTC().Format(time.DateOnly)
	}
	a.note("here it was removed" + when)
}

// allAt are the devices at an address.
func (i *Inventory) allAt(ip netip.Addr) []*entry {
	var list []*entry
	if e := i.atIP.get(ip); e != nil {
		list = append(list, e)
	}
	for _, e := range i.alsoAt[ip] {
		if !slices.Contains(list, e) {
			list = append(list, e)
		}
	}
	return list
}

// isAt tells whether one of the line's addresses is the device's.
func (n *named) isAt(e *entry) bool {
	at := e.addresses()
	return slices.ContainsFunc(n.ips, func(ip netip.Addr) bool { return slices.Contains(at, ip.String()) })
}

// agrees: the serials are the same, as far as both sides know one. Labels bear
// the end of what some firmware says.
func (n *named) agrees(e *entry) bool {
	serial := normalSerial(e.serial)
	return n.serial == "" || serial == "" || strings.HasSuffix(serial, n.serial) || strings.HasSuffix(n.serial, serial)
}

// speaksAgainst tells that the line is about another device than the one at its
// address: a MAC or a serial that both sides know differs.
func (n *named) speaksAgainst(e *entry) bool {
	return len(n.macs) > 0 && len(e.macs) > 0 && !slices.ContainsFunc(n.macs, func(m hwaddr) bool { return slices.Contains(e.macs, m) }) || !n.agrees(e)
}

// addressesIn lists the addresses of one cell; whole: it is a single one.
func addressesIn(cell string, whole bool) []string {
	if whole {
		return []string{cell}
	}
	return strings.FieldsFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;/|", r) })
}

// looseMAC accepts the ways in which lists write a MAC: with colons, dashes,
// dots, or nothing between.
func looseMAC(s string) string {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(":-. ", r) {
			return -1
		}
		return r
	}, s)
	if len(digits) != 12 {
		return s
	}
	parts := make([]string, 6)
	for n := range parts {
		parts[n] = digits[2*n : 2*n+2]
	}
	return strings.Join(parts, ":")
}
