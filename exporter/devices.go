package exporter

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// The sizes of an API page.
const (
	mostDevices = 1000 // in one answer, however many are asked for
	mostOfMany  = 200  // of so many devices that the reasons of each are read from the store
	maxLimit    = 10000
	maxQuery    = 200 // bytes of q
)

// filter selects devices; empty lists select all.
type filter struct {
	verdicts      []string
	policies      []string
	states        []string
	classes       []string
	manufacturers []string
	q             string // lower case
	bareQ         string // q as a MAC's digits, "" when it is none
}

var (
	allVerdicts = []string{policy.Banned, policy.SuspectedV, policy.Clear, policy.Unknown, policy.OutOfScope, policy.Unclassified}
	allStates   = []string{string(inventory.Present), string(inventory.Missing), string(inventory.Removed)}
)

// parseFilter reads the filters off a query. Values may be repeated or parted
// by commas.
func parseFilter(query url.Values) (filter, error) {
	allClasses := make([]string, len(classes))
	for i, c := range classes {
		allClasses[i] = string(c)
	}
	f := filter{
		verdicts:      list(query["verdict"]),
		policies:      list(query["policy"]),
		states:        list(query["state"]),
		classes:       list(query["class"]),
		manufacturers: query["manufacturer"],
		q:             strings.ToLower(strings.TrimSpace(query.Get("q"))),
	}
	f.manufacturers = slices.DeleteFunc(slices.Clone(f.manufacturers), func(m string) bool { return m == "" })
	if len(f.q) > maxQuery {
		return filter{}, fmt.Errorf("q is longer than %d bytes", maxQuery)
	}
	if bare := strings.NewReplacer(":", "", "-", "", ".", "").Replace(f.q); bare != f.q && len(bare) >= 4 && isHex(bare) {
		f.bareQ = bare
	}
	return f, errors.Join(
		among("verdict", f.verdicts, allVerdicts),
		among("state", f.states, allStates),
		among("class", f.classes, allClasses),
	)
}

func list(values []string) []string {
	var parts []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part != "" {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

func among(name string, values, known []string) error {
	for _, v := range values {
		if !slices.Contains(known, v) {
			return fmt.Errorf("%s %q is none of %s", name, printable(v, 40), strings.Join(known, ", "))
		}
	}
	return nil
}

func isHex(text string) bool {
	return strings.Trim(text, "0123456789abcdef") == ""
}

// matches looks at the cheapest first: among many devices q is what costs.
func (f *filter) matches(d *inventory.Device) bool {
	return f.matchesAllButText(d) && (f.q == "" || f.found(d))
}

func (f *filter) matchesAllButText(d *inventory.Device) bool {
	return f.matchesVerdict(d) &&
		(len(f.states) == 0 || slices.Contains(f.states, string(d.State))) &&
		(len(f.classes) == 0 || slices.Contains(f.classes, string(classLabel(d.Class)))) &&
		(len(f.manufacturers) == 0 || slices.ContainsFunc(f.manufacturers, func(m string) bool { return sameMaker(d, m) }))
}

func sameMaker(d *inventory.Device, name string) bool {
	return strings.EqualFold(d.Manufacturer, name) || d.Manufacturer == "" && name == makerUnknown
}

func (f *filter) matchesVerdict(d *inventory.Device) bool {
	if len(f.verdicts) == 0 && len(f.policies) == 0 {
		return true
	}
	if len(d.Verdicts) == 0 {
		return len(f.policies) == 0 && slices.Contains(f.verdicts, policy.Unclassified)
	}
	return slices.ContainsFunc(d.Verdicts, func(v policy.Verdict) bool {
		return (len(f.verdicts) == 0 || slices.Contains(f.verdicts, v.Verdict)) &&
			(len(f.policies) == 0 || slices.Contains(f.policies, v.Policy))
	})
}

// found looks for q in everything a person would search by.
func (f *filter) found(d *inventory.Device) bool {
	holds := containsFold
	if !plainASCII(f.q) {
		holds = func(text, q string) bool { return strings.Contains(strings.ToLower(text), q) }
	}
	for _, text := range [...]string{d.ID, d.Manufacturer, d.BySigns, d.Brand, d.Model, d.Firmware, d.Serial, d.SwitchPort,
		d.Annotations.Location, d.Annotations.Owner, d.Annotations.Note} {
		if holds(text, f.q) {
			return true
		}
	}
	for _, texts := range [...][]string{d.IPs, d.MACs, d.Hostnames} {
		for _, text := range texts {
			if holds(text, f.q) {
				return true
			}
		}
	}
	return f.bareQ != "" && slices.ContainsFunc(d.MACs, func(mac string) bool {
		return strings.Contains(strings.ReplaceAll(strings.ToLower(mac), ":", ""), f.bareQ)
	})
}

// containsFold tells whether text holds q, which is ASCII in lower case; it
// copies nothing, since a search looks at every text of a hundred thousand
// devices.
func containsFold(text, q string) bool {
	if q == "" {
		return true
	}
	for from := 0; from+len(q) <= len(text); from++ {
		if lowerByte(text[from]) != q[0] {
			continue
		}
		n := 1
		for n < len(q) && lowerByte(text[from+n]) == q[n] {
			n++
		}
		if n == len(q) {
			return true
		}
	}
	return false
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// deviceList is a page of devices, written as {"devices":[...],"total":N,
// "next":"cursor"}.
type deviceList struct {
	each  func(show func(*inventory.Device) error) error
	total int
	next  string
}

// answerList writes device by device: a thousand of them with their reasons
// are megabytes.
func (x *Exporter) answerList(w http.ResponseWriter, l deviceList) {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 32<<10)
	lines := json.NewEncoder(out)
	before := `{"devices":[`
	var whole inventory.Device
	var gone error // the client, mostly
	err := l.each(func(d *inventory.Device) error {
		_, _ = out.WriteString(before) // Flush tells
		before = ","
		whole = complete(*d)
		gone = lines.Encode(&whole)
		return gone
	})
	if err == nil {
		if before != "," {
			_, _ = out.WriteString(before)
		}
		fmt.Fprintf(out, "],\"total\":%d,\"next\":%q}\n", l.total, l.next)
		gone = out.Flush()
	}
	switch {
	case gone != nil:
		x.log.Debug("api: write the list of devices", zap.Error(gone))
	case err != nil:
		x.log.Error("api: read the list of devices", zap.Error(err))
	default:
		return
	}
	panic(http.ErrAbortHandler) // what the client has is not whole, and must not look so
}

func (x *Exporter) listDevices(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	f, err := parseFilter(query)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	limit, err := parseLimit(query.Get("limit"), mostDevices, maxLimit)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get("cursor"))
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", "cursor: not one that this agent gave")
		return
	}
	s := x.agent.Snapshot()
	if s.Many != nil {
		x.answerList(w, x.pageOfMany(s.Many, &f, min(limit, mostOfMany), string(after)))
		return
	}
	x.answerList(w, page(x.cache.of(s).byID, &f, min(limit, mostDevices), string(after)))
}

// page takes up to limit matching devices whose id comes after the cursor's.
func page(devices []*inventory.Device, f *filter, limit int, after string) deviceList {
	l := deviceList{}
	var shown []*inventory.Device
	for _, d := range devices {
		if !f.matches(d) {
			continue
		}
		l.total++
		switch {
		case d.ID <= after:
		case len(shown) < limit:
			shown = append(shown, d)
		case l.next == "":
			l.next = base64.RawURLEncoding.EncodeToString([]byte(shown[limit-1].ID))
		}
	}
	l.each = func(show func(*inventory.Device) error) error {
		for _, d := range shown {
			if err := show(d); err != nil {
				return err
			}
		}
		return nil
	}
	return l
}

func parseLimit(text string, byDefault, most int) (int, error) {
	if text == "" {
		return byDefault, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("limit %q: a number from 1 to %d is needed", printable(text, 20), most)
	}
	return n, nil
}

// complete gives a list where there is none, so that a reader of the JSON
// never meets null for a list.
func complete(d inventory.Device) inventory.Device {
	for _, l := range []*[]string{&d.IPs, &d.MACs, &d.Hostnames, &d.Sources, &d.Contradictions} {
		if *l == nil {
			*l = []string{}
		}
	}
	if d.Verdicts == nil {
		d.Verdicts = []policy.Verdict{}
	}
	if d.Reasons == nil {
		d.Reasons = []fingerprint.Reason{}
	}
	return d
}

func (x *Exporter) showDevice(w http.ResponseWriter, r *http.Request) {
	d, ok := x.agent.Device(r.PathValue("id"))
	if !ok {
		fail(w, http.StatusNotFound, "not_found", "no device has the id "+printable(r.PathValue("id"), 64))
		return
	}
	answer(w, http.StatusOK, complete(d))
}
