package exporter

import (
	"bufio"
	"encoding/json"
	"iter"
	"net/http"
	"net/netip"
	"strings"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

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
	for d, verdict := range x.targets(s, &f) {
		host := targetHost(d)
		if host == "" {
			continue
		}
		line = appendTarget(append(line[:0], before), host, d, verdict, s)
		_, _ = out.Write(line) // the client is gone: nobody is left to tell
		before = ','
	}
	if before == '[' {
		_ = out.WriteByte('[')
	}
	_, _ = out.WriteString("]\n")
	_ = out.Flush()
}

// targets are the devices that the filter selects, with their gravest verdicts.
// Of very many the ids are collected first, and each is looked up when its turn
// comes: a slow reader must not hold up the inventory.
func (x *Exporter) targets(s *Snapshot, f *filter) iter.Seq2[*inventory.Device, string] {
	worst := make(gravity)
	wanted := func(d *inventory.Device) (verdict string, ok bool) {
		verdict = tallyVerdicts[worst.of(d)]
		return verdict, len(f.verdicts) > 0 || verdict != policy.Unclassified
	}
	return func(yield func(*inventory.Device, string) bool) {
		if s.Many == nil {
			for _, d := range x.cache.of(s).byID {
				if !f.matches(d) {
					continue
				}
				if verdict, ok := wanted(d); ok && !yield(d, verdict) {
					return
				}
			}
			return
		}
		var ids []string
		f.walk(s.Many, func(d *inventory.Device) {
			if _, ok := wanted(d); ok {
				ids = append(ids, d.ID)
			}
		})
		for _, id := range ids {
			d, ok := s.Many.Plain(id)
			if !ok {
				continue // merged or expired meanwhile
			}
			if verdict, ok := wanted(&d); ok && !yield(&d, verdict) {
				return
			}
		}
	}
}

// targetHost prefers the latest IPv4 address; an IPv6 one stands in brackets,
// as Prometheus wants it.
func targetHost(d *inventory.Device) string {
	var first netip.Addr
	for _, text := range d.IPs {
		ip, err := netip.ParseAddr(text)
		switch {
		case err != nil:
		case ip.Is4():
			return ip.String()
		case !first.IsValid():
			first = ip
		}
	}
	if !first.IsValid() {
		return ""
	}
	return "[" + first.WithZone("").String() + "]"
}

// appendTarget appends a device as a target in JSON.
func appendTarget(b []byte, host string, d *inventory.Device, verdict string, s *Snapshot) []byte {
	b = appendJSON(append(b, `{"targets":[`...), host)
	b = append(b, `],"labels":{`...)
	label := func(name, value string) {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, `"__meta_camcensus_`...), name...), '"', ':')
		b = appendJSON(b, value)
	}
	label("device", cleanLabel(d.ID))
	label("site", cleanLabel(s.Site.Name))
	label("ip", addressLabel(d))
	label("mac", macLabel(d))
	label("class", string(classLabel(d.Class)))
	label("manufacturer", cleanLabel(d.Manufacturer))
	label("brand", cleanLabel(d.Brand))
	label("model", modelLabel(d.Model))
	label("state", string(d.State))
	label("location", printable(d.Annotations.Location, maxLocationLabel))
	label("verdict", verdict)
	for i := range d.Verdicts {
		label("verdict_"+labelName(d.Verdicts[i].Policy), cleanLabel(d.Verdicts[i].Verdict))
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
