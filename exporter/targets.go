package exporter

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// target is a device as Prometheus HTTP service discovery lists it.
type target struct {
	host, id, ip, mac          string
	class                      fingerprint.Class
	manufacturer, brand, model string
	state                      inventory.State
	location, worst            string
	verdicts                   []policy.Verdict
}

// serveDiscovery lists the devices as scrape targets, so that other exporters
// follow the inventory. Without filters it gives what is present and not
// unclassified.
func (x *Exporter) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	if len(f.states) == 0 {
		f.states = []string{string(inventory.Present)}
	}
	s := x.agent.Snapshot()
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 64<<10)
	before := byte('[')
	var line []byte
	for _, t := range x.targets(s, &f) {
		line = t.append(append(line[:0], before), s)
		_, _ = out.Write(line) // the client is gone: nobody is left to tell
		before = ','
	}
	if before == '[' {
		_ = out.WriteByte('[')
	}
	_, _ = out.WriteString("]\n")
	_ = out.Flush()
}

// targets collects what the filter selects and can be addressed. Nothing is
// written yet: a slow reader must not hold up the inventory.
func (x *Exporter) targets(s *Snapshot, f *filter) []target {
	var found []target
	worst := make(gravity)
	unfiltered := len(f.verdicts) == 0
	add := func(d *inventory.Device, host, ip, mac string) {
		verdict := tallyVerdicts[worst.of(d)]
		if host == "" || unfiltered && verdict == policy.Unclassified {
			return
		}
		found = append(found, target{host: host, id: d.ID, ip: ip, mac: mac, class: classLabel(d.Class), manufacturer: d.Manufacturer,
			brand: d.Brand, model: d.Model, state: d.State, location: d.Annotations.Location, worst: verdict, verdicts: d.Verdicts})
	}
	if s.Many != nil {
		inAddress := f.inAddress()
		s.Many.EachAt(func(d *inventory.Device, at *inventory.Where) bool {
			if f.matchesAt(d, at, inAddress) {
				ip, mac := at.Texts()
				add(d, targetHost(at.IPs), ip, mac)
			}
			return true
		})
		return found
	}
	for _, d := range x.cache.of(s).byID {
		if f.matches(d) {
			var ips []netip.Addr
			for _, text := range d.IPs {
				if ip, err := netip.ParseAddr(text); err == nil {
					ips = append(ips, ip)
				}
			}
			add(d, targetHost(ips), addressLabel(d), macLabel(d))
		}
	}
	return found
}

// targetHost prefers the latest IPv4 address; an IPv6 one stands in brackets,
// as Prometheus wants it.
func targetHost(ips []netip.Addr) string {
	for _, ip := range ips {
		if ip.Is4() {
			return ip.String()
		}
	}
	if len(ips) == 0 {
		return ""
	}
	return "[" + ips[0].WithZone("").String() + "]"
}

// append writes the target as JSON.
func (t *target) append(b []byte, s *Snapshot) []byte {
	b = appendJSON(append(b, `{"targets":[`...), t.host)
	b = append(b, `],"labels":{`...)
	label := func(name, value string) {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, `"__meta_camcensus_`...), name...), '"', ':')
		b = appendJSON(b, value)
	}
	label("device", cleanLabel(t.id))
	label("site", cleanLabel(s.Site.Name))
	label("ip", t.ip)
	label("mac", t.mac)
	label("class", string(t.class))
	label("manufacturer", cleanLabel(t.manufacturer))
	label("brand", cleanLabel(t.brand))
	label("model", modelLabel(t.model))
	label("state", string(t.state))
	label("location", printable(t.location, maxLocationLabel))
	label("verdict", t.worst)
	for i := range t.verdicts {
		label("verdict_"+labelName(t.verdicts[i].Policy), cleanLabel(t.verdicts[i].Verdict))
	}
	return append(b, '}', '}')
}

// appendJSON appends a text as a JSON string.
func appendJSON(b []byte, text string) []byte {
	if plainASCII(text) && !strings.ContainsAny(text, `"\`) {
		return append(append(append(b, '"'), text...), '"')
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, quoted...)
}

// labelName turns a policy's name into the tail of a label name.
func labelName(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && modelByte(byte(r)) && !strings.ContainsRune(" ./+()-", r) {
			return r
		}
		return '_'
	}, text)
}
