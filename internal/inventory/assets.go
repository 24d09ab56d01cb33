package inventory

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"unicode"
)

// Match is an asset list from elsewhere held against the inventory.
type Match struct {
	Both      []Asset  `json:"both"`       // known here and there
	OnlyThere []Asset  `json:"only_there"` // in the list, not found here
	OnlyHere  []Device `json:"only_here"`  // found here, not in the list
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
}

// Import reads an asset list as CSV (see assetlist.go) and matches each line by
// MAC, else serial, else IP. It changes nothing.
func (i *Inventory) Import(r io.Reader) (*Match, error) {
	list, err := readAssets(r)
	if err != nil {
		return nil, fmt.Errorf("inventory: import: %w", err)
	}
	m := &Match{Both: []Asset{}, OnlyThere: []Asset{}, OnlyHere: []Device{}}
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

// serials lists the devices by serial.
func (i *Inventory) serials() map[string]*entry {
	i.mu.RLock()
	defer i.mu.RUnlock()
	out := map[string]*entry{}
	for _, e := range i.devices {
		if s := normalSerial(e.serial); s != "" {
			out[s] = e
		}
	}
	return out
}

// match finds the device of a line: MAC before serial before IP.
func (i *Inventory) match(a Asset, serials map[string]*entry) Asset {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, text := range addressesIn(a.MAC, looseMAC(a.MAC) != a.MAC) {
		m, err := net.ParseMAC(looseMAC(text))
		h, ok := hardwareAddress(m)
		if err != nil || !ok {
			a.Note = joinLine(a.Note, "not a MAC: "+text)
			continue
		}
		if e := i.macs[h]; e != nil {
			a.Device, a.By = e.id, "mac"
			return a
		}
	}
	if serial := normalSerial(a.Serial); serial != "" {
		if e := serials[serial]; e != nil {
			a.Device, a.By = e.id, "serial"
			return a
		}
	}
	for _, text := range addressesIn(a.IP, false) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			a.Note = joinLine(a.Note, "not an IP: "+text)
			continue
		}
		e := i.atIP.get(ip.Unmap())
		if e == nil {
			continue
		}
		a.Device, a.By = e.id, "ip"
		if a.MAC != "" || a.Serial != "" {
			a.Note = joinLine(a.Note, "only the IP agrees: another device may have it now")
		}
		return a
	}
	return a
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
