package neighbor

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"camcensus/discovery"
)

// Bounds of one table.
const (
	maxTable   = 64 << 20 // bytes
	maxEntries = 1 << 17
	// staleAfter is how old a file may be: what an older one says of who has
	// which address may long be wrong.
	staleAfter = 24 * time.Hour
)

// lease is one line of a table.
type lease struct {
	ip       netip.Addr
	mac      net.HardwareAddr
	hostname string
}

// readTable reads a file in whichever of the forms it is: CSV, dnsmasq's
// leases or those of ISC's dhcpd. written is when its words were true.
func readTable(path string, now time.Time) (leases []lease, written time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, written, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, written, err
	}
	written = stat.ModTime()
	switch {
	case !stat.Mode().IsRegular():
		return nil, written, fmt.Errorf("%s is not a regular file", path)
	case now.Sub(written) > staleAfter:
		return nil, written, fmt.Errorf("%s was last written %s ago (needs to be renewed every %s)", path, now.Sub(written).Round(time.Hour), staleAfter)
	}
	leases, err = parseTable(io.LimitReader(f, maxTable), now)
	if err != nil {
		return nil, written, fmt.Errorf("%s: %w", path, err)
	}
	return leases, written, nil
}

// parseTable tells the form by the first line that says something.
func parseTable(r io.Reader, now time.Time) ([]lease, error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(b.Size())
	for line := range strings.Lines(string(head)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		switch fields := strings.Fields(line); {
		case strings.HasSuffix(line, "{") || strings.HasSuffix(line, ";") && !strings.Contains(strings.TrimSuffix(line, ";"), ";"):
			return parseISC(b, now)
		case len(fields) >= 4 && isNumber(fields[0]) && isMAC(fields[1]), fields[0] == "duid":
			return parseDnsmasq(b, now)
		}
		return parseCSV(b, line)
	}
	return nil, nil
}

func isNumber(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil }

func isMAC(s string) bool { _, ok := parseMAC(s); return ok }

// parseMAC takes the usual ways to write a MAC, bare digits included.
func parseMAC(s string) (net.HardwareAddr, bool) {
	s = strings.TrimSpace(s)
	if len(s) == 12 && !strings.ContainsAny(s, ":-.") {
		s = s[:4] + "." + s[4:8] + "." + s[8:]
	}
	mac, err := net.ParseMAC(s)
	return mac, err == nil && unicastMAC(mac)
}

// parseDnsmasq reads lines of expiry, MAC, address, name and client id
// (dnsmasq(8), --dhcp-leasefile). An expiry of 0 is none.
func parseDnsmasq(r io.Reader, now time.Time) ([]lease, error) {
	var out []lease
	lines := bufio.NewScanner(r)
	for lines.Scan() && len(out) < maxEntries {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 {
			continue
		}
		expiry, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil || expiry != 0 && time.Unix(expiry, 0).Before(now) {
			continue
		}
		if l, ok := newLease(fields[2], fields[1], fields[3]); ok {
			out = append(out, l)
		}
	}
	return out, lines.Err()
}

// parseISC reads the declarations of dhcpd.leases(5). The last one of an
// address counts, and only while it is active.
func parseISC(r io.Reader, now time.Time) ([]lease, error) {
	var order []string
	last := map[string]lease{}
	var ip, mac, hostname string
	var live bool
	lines := bufio.NewScanner(r)
	for lines.Scan() && len(order) < maxEntries {
		fields := strings.Fields(strings.TrimRight(strings.TrimSpace(lines.Text()), ";"))
		switch {
		case len(fields) == 3 && fields[0] == "lease" && fields[2] == "{":
			ip, mac, hostname, live = fields[1], "", "", true
		case len(fields) == 3 && fields[0] == "hardware" && fields[1] == "ethernet":
			mac = fields[2]
		case len(fields) == 2 && fields[0] == "client-hostname":
			hostname = strings.Trim(fields[1], `"`)
		case len(fields) == 3 && fields[0] == "binding" && fields[1] == "state":
			live = live && fields[2] == "active"
		case len(fields) == 4 && fields[0] == "ends":
			ends, err := time.Parse("2006/01/02 15:04:05", fields[2]+" "+fields[3])
			live = live && (err != nil || ends.After(now))
		case len(fields) == 1 && fields[0] == "}" && ip != "":
			if _, again := last[ip]; !again {
				order = append(order, ip)
			}
			l, ok := newLease(ip, mac, hostname)
			if !ok || !live {
				l = lease{}
			}
			last[ip], ip = l, ""
		}
	}
	var out []lease
	for _, ip := range order {
		if l := last[ip]; l.ip.IsValid() {
			out = append(out, l)
		}
	}
	return out, lines.Err()
}

// parseCSV reads columns in any order, divided by commas, semicolons or tabs:
// which one holds the address and which one the MAC shows in each line, the
// name's is told by the heading or is the one column that is left.
func parseCSV(r io.Reader, first string) ([]lease, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.LazyQuotes, c.TrimLeadingSpace, c.ReuseRecord, c.Comment = -1, true, true, true, '#'
	for _, comma := range ";\t" {
		if strings.ContainsRune(first, comma) && !strings.Contains(first, ",") {
			c.Comma = comma
		}
	}
	var out []lease
	named, line := -1, 0
	for len(out) < maxEntries {
		fields, err := c.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		line++
		ip, mac, hostname := columnsOf(fields, named)
		switch l, ok := newLease(ip, mac, hostname); {
		case ok:
			out = append(out, l)
		case line == 1:
			named = headingOf(fields)
		}
	}
	return out, nil
}

var nameHeadings = []string{"hostname", "host", "name", "host name", "client name", "device name"}

func headingOf(fields []string) int {
	for n, f := range fields {
		for _, h := range nameHeadings {
			if strings.EqualFold(strings.TrimSpace(f), h) {
				return n
			}
		}
	}
	return -1
}

func columnsOf(fields []string, named int) (ip, mac, hostname string) {
	rest := ""
	for n, f := range fields {
		f = strings.TrimSpace(f)
		switch _, err := netip.ParseAddr(f); {
		case err == nil && ip == "":
			ip = f
		case isMAC(f) && mac == "":
			mac = f
		case n == named:
			hostname = f
		case rest == "":
			rest = f
		}
	}
	if named < 0 && len(fields) == 3 {
		hostname = rest
	}
	return ip, mac, hostname
}

func newLease(ip, mac, hostname string) (lease, bool) {
	addr, err := netip.ParseAddr(ip)
	hw, ok := parseMAC(mac)
	if err != nil || !ok || addr.IsMulticast() || addr.IsUnspecified() {
		return lease{}, false
	}
	if hostname == "*" || hostname == "-" {
		hostname = ""
	}
	return lease{ip: addr.Unmap().WithZone(""), mac: hw, hostname: discovery.CleanText([]byte(hostname), 253)}, true
}

// readTables reports what the files say of routed networks in scope. It is
// hearsay, and as old as the file.
func (s *Source) readTables(sink discovery.Sink) (failed []error) {
	scope := s.env.Wire.Scope()
	for _, path := range s.settings.Tables {
		leases, written, err := readTable(path, s.env.Now())
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for _, l := range leases {
			if n, ok := scope.NetworkOf(l.ip); !ok || n.Connected {
				continue // on its own links this machine sees for itself
			}
			sighting := discovery.Sighting{
				Time: written, Source: name, IP: l.ip, MAC: l.mac, Kind: name, Hearsay: true,
			}
			sink(sighting)
			if raw, err := json.Marshal(map[string]string{"hostname": l.hostname}); err == nil && l.hostname != "" {
				sighting.Kind, sighting.Raw = "dhcp", raw
				sink(sighting)
			}
		}
	}
	return failed
}
