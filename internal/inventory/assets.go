package inventory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
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

// assetColumns are names that asset lists give their columns, in lower case.
var assetColumns = map[string]string{
	"mac": "mac", "mac address": "mac", "mac_address": "mac", "macs": "mac", "adresse mac": "mac", "ethernet": "mac",
	"serial": "serial", "serial number": "serial", "serial_number": "serial", "serial no": "serial", "s/n": "serial", "sn": "serial",
	"numéro de série": "serial", "numero de serie": "serial", "no de série": "serial",
	"ip": "ip", "ips": "ip", "ip address": "ip", "ip_address": "ip", "ipv4": "ip", "adresse ip": "ip", "address": "ip",
	"name": "name", "asset": "name", "asset tag": "name", "description": "name", "nom": "name", "id": "name", "label": "name",
}

// Limits of an asset list.
const (
	maxAssetLines = 200000
	maxAssetBytes = 64 << 20
)

// Import reads an asset list as CSV (comma, semicolon or tab; the first line
// names the columns) and matches each line by MAC, else serial, else IP. It
// changes nothing.
func (i *Inventory) Import(r io.Reader) (*Match, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxAssetBytes+1))
	if err != nil {
		return nil, fmt.Errorf("inventory: import: %w", err)
	}
	if len(text) > maxAssetBytes {
		return nil, fmt.Errorf("inventory: import: the list is larger than %d MB", maxAssetBytes>>20)
	}
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	in.Comma = separator(string(text))
	in.FieldsPerRecord = -1
	in.LazyQuotes = true
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("inventory: import: read the column names: %w", err)
	}
	columns := columnsOf(head)
	if len(columns) == 0 {
		return nil, fmt.Errorf("inventory: import: no column for MAC, serial or IP in %q", strings.Join(head, ", "))
	}
	m := &Match{Both: []Asset{}, OnlyThere: []Asset{}, OnlyHere: []Device{}}
	found, serials := map[string]bool{}, i.serials()
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := in.FieldPos(0)
		if err != nil || line > maxAssetLines {
			return nil, fmt.Errorf("inventory: import: line %d: %w", line, cmpErr(err, errors.New("the list is too long")))
		}
		a := i.match(readAsset(row, columns, line), serials)
		if a.Device == "" {
			m.OnlyThere = append(m.OnlyThere, a)
			continue
		}
		found[a.Device] = true
		m.Both = append(m.Both, a)
	}
	for _, d := range i.Devices() {
		if !found[d.ID] && d.State != Removed && (cameraLike(d.Class) || flagged(d.Verdicts)) {
			m.OnlyHere = append(m.OnlyHere, d)
		}
	}
	return m, nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// separator is the one that the first line has most of.
func separator(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, c := range []rune{';', '\t'} {
		if strings.Count(first, string(c)) > strings.Count(first, string(best)) {
			best = c
		}
	}
	return best
}

func columnsOf(head []string) map[string]int {
	columns := map[string]int{}
	for n, name := range head {
		if c, ok := assetColumns[strings.ToLower(strings.TrimSpace(name))]; ok {
			if _, twice := columns[c]; !twice {
				columns[c] = n
			}
		}
	}
	if _, named := columns["name"]; named && len(columns) == 1 {
		return nil
	}
	return columns
}

func readAsset(row []string, columns map[string]int, line int) Asset {
	cell := func(name string) string {
		n, ok := columns[name]
		if !ok || n >= len(row) {
			return ""
		}
		return clip(strings.TrimPrefix(strings.TrimSpace(row[n]), "'"), 256)
	}
	return Asset{Line: line, Name: cell("name"), MAC: cell("mac"), Serial: cell("serial"), IP: cell("ip")}
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
	for _, text := range strings.Fields(a.MAC) {
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
	for _, text := range strings.Fields(a.IP) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			a.Note = joinLine(a.Note, "not an IP: "+text)
			continue
		}
		e := i.atIP[ip.Unmap()]
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
