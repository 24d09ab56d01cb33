package exporter

import (
	"container/heap"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"camcensus/internal/inventory"
)

// Many gives the devices of a site so large that a slice of them all would
// cost too much memory. What it shows is there for the call only.
type Many interface {
	// Changes grows with every change of a device.
	Changes() uint64
	// EachBrief shows all devices, without reasons, addresses, MACs and
	// exceptions.
	EachBrief(show func(*inventory.Device) bool)
	// EachAt shows them with their addresses and MACs beside.
	EachAt(show func(*inventory.Device, *inventory.Where) bool)
	// Address is where a device was last, the zero Addr when nowhere.
	Address(id string) netip.Addr
	// Plain finds one device, without its reasons.
	Plain(id string) (inventory.Device, bool)
	// Details shows those of the devices that are there, with their reasons,
	// until show fails.
	Details(ids []string, show func(*inventory.Device) error) error
}

func (s *Snapshot) changes() uint64 {
	if s.Many == nil {
		return 0
	}
	return s.Many.Changes()
}

// complete puts the whole devices in the place of brief ones.
func (s *Snapshot) complete(brief []*inventory.Device) {
	if s.Many == nil {
		return
	}
	for _, d := range brief {
		if whole, ok := s.Many.Plain(d.ID); ok {
			*d = whole
		}
	}
}

// walk shows, in brief, the devices that a filter selects.
func (f *filter) walk(m Many, show func(*inventory.Device)) {
	inAddress := f.inAddress()
	if inAddress == "" && f.bareQ == "" {
		m.EachBrief(func(d *inventory.Device) bool {
			if f.matches(d) {
				show(d)
			}
			return true
		})
		return
	}
	m.EachAt(func(d *inventory.Device, at *inventory.Where) bool {
		if f.matchesAt(d, at, inAddress) {
			show(d)
		}
		return true
	})
}

// inAddress is q, "" when no address can hold it.
func (f *filter) inAddress() string {
	if strings.Trim(f.q, "0123456789abcdef.:%") != "" {
		return ""
	}
	return f.q
}

// matchesAt is matches for a device in brief.
func (f *filter) matchesAt(d *inventory.Device, at *inventory.Where, inAddress string) bool {
	return f.matchesAllButText(d) && (f.q == "" || at.Holds(inAddress, f.bareQ) || f.found(d))
}

// lowest is a heap of ids with the highest on top.
type lowest []string

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (l lowest) Len() int           { return len(l) }
func (l lowest) Less(i, j int) bool { return l[i] > l[j] }
func (l lowest) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *lowest) Push(id any)       { *l = append(*l, id.(string)) }
func (l *lowest) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// pageOfMany is page, with the reasons read for those shown as they are
// written.
func (x *Exporter) pageOfMany(m Many, f *filter, limit int, after string) deviceList {
	l := deviceList{}
	ids := make(lowest, 0, limit+2)
	f.walk(m, func(d *inventory.Device) {
		l.total++
		if d.ID <= after || len(ids) > limit && d.ID >= ids[0] {
			return
		}
		heap.Push(&ids, d.ID)
		if len(ids) > limit+1 {
			heap.Pop(&ids)
		}
	})
	slices.Sort(ids)
	if len(ids) > limit {
		l.next = base64.RawURLEncoding.EncodeToString([]byte(ids[limit-1]))
		ids = ids[:limit]
	}
	l.each = func(show func(*inventory.Device) error) error { return m.Details(ids, show) }
	return l
}

// ranks are the ids that a reader looks for, by severity, each in order of
// appearance; of each severity only as many as he can get to see.
type ranks struct {
	total int
	ids   [nVerdicts][]string
}

// rank sorts what the filter selects, for what part asks up to end; unasked
// leaves out what nobody asked for.
func rank(m Many, f *filter, unasked bool, end int) *ranks {
	r := &ranks{}
	worst := make(gravity)
	most := max(end, sortByAddressUpTo)
	f.walk(m, func(d *inventory.Device) {
		at := worst.of(d)
		if unasked && hidden(d, at) {
			return
		}
		if len(r.ids[at]) < most {
			r.ids[at] = append(r.ids[at], d.ID)
		}
		r.total++
	})
	return r
}

// part returns those from start to end in the order that readers like: the
// gravest first, and of one gravity by address, where they are not too many.
func (r *ranks) part(m Many, start, end int) []*inventory.Device {
	if r.total <= sortByAddressUpTo {
		for _, ids := range r.ids {
			sortByAddress(m, ids)
		}
	}
	var out []*inventory.Device
	for _, id := range slices.Concat(r.ids[:]...)[start:end] {
		if d, ok := m.Plain(id); ok {
			out = append(out, &d)
		}
	}
	return out
}

func sortByAddress(m Many, ids []string) {
	at := make(map[string]netip.Addr, len(ids))
	for _, id := range ids {
		at[id] = m.Address(id)
	}
	slices.SortStableFunc(ids, func(a, b string) int { return at[a].Compare(at[b]) })
}
