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
	// exceptions. Several share them out between them: the first has the
	// oldest, all at the same time.
	EachBrief(show ...func(*inventory.Device) bool)
	// EachAt shows them with their addresses and MACs beside.
	EachAt(show ...func(*inventory.Device, *inventory.Where) bool)
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

// searchers look through very many devices at a time, each through a part.
const searchers = 2

// walk shows, in brief, the devices that a filter selects; several share them out
// between them.
func (f *filter) walk(m Many, show ...func(*inventory.Device)) {
	inAddress := f.inAddress()
	if inAddress == "" && f.bareQ == "" {
		each := make([]func(*inventory.Device) bool, len(show))
		for n, show := range show {
			each[n] = func(d *inventory.Device) bool {
				if f.matches(d) {
					show(d)
				}
				return true
			}
		}
		m.EachBrief(each...)
		return
	}
	each := make([]func(*inventory.Device, *inventory.Where) bool, len(show))
	for n, show := range show {
		each[n] = func(d *inventory.Device, at *inventory.Where) bool {
			if f.matchesAt(d, at, inAddress) {
				show(d)
			}
			return true
		}
	}
	m.EachAt(each...)
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

// selection is what a search keeps of one part of the devices.
type selection struct {
	total int
	ids   lowest // up to so many as a page has, and one more
}

// keep counts a device, and keeps it where it is among the first most.
func (s *selection) keep(d *inventory.Device, after string, most int) {
	s.total++
	if d.ID <= after || len(s.ids) == most && d.ID >= s.ids[0] {
		return
	}
	heap.Push(&s.ids, d.ID)
	if len(s.ids) > most {
		heap.Pop(&s.ids)
	}
}

// pageOfMany is page, with the reasons read for those shown as they are
// written.
func (x *Exporter) pageOfMany(m Many, f *filter, limit int, after string) deviceList {
	parts, show := make([]selection, searchers), make([]func(*inventory.Device), searchers)
	for n := range parts {
		show[n] = func(d *inventory.Device) { parts[n].keep(d, after, limit+1) }
	}
	f.walk(m, show...)
	l := deviceList{}
	var ids []string
	for _, p := range parts {
		l.total += p.total
		ids = append(ids, p.ids...)
	}
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
	most := max(end, sortByAddressUpTo)
	parts, show := make([]ranks, searchers), make([]func(*inventory.Device), searchers)
	for n := range parts {
		r, worst := &parts[n], make(gravity)
		show[n] = func(d *inventory.Device) {
			at := worst.of(d)
			if unasked && hidden(d, at) {
				return
			}
			if len(r.ids[at]) < most {
				r.ids[at] = append(r.ids[at], d.ID)
			}
			r.total++
		}
	}
	f.walk(m, show...)
	r := &parts[0]
	for _, p := range parts[1:] {
		r.total += p.total
		for at, ids := range p.ids {
			r.ids[at] = append(r.ids[at], ids[:min(len(ids), most-len(r.ids[at]))]...)
		}
	}
	return r
}

// part returns those from start to end in the order that readers like: the
// gravest first, and of one gravity by address, where they are not too many.
func (r *ranks) part(m Many, start, end int) []string {
	if r.total <= sortByAddressUpTo {
		for _, ids := range r.ids {
			sortByAddress(m, ids)
		}
	}
	return slices.Concat(r.ids[:]...)[start:end]
}

func sortByAddress(m Many, ids []string) {
	type placed struct {
		id string
		at netip.Addr
	}
	list := make([]placed, len(ids))
	for n, id := range ids {
		list[n] = placed{id, m.Address(id)}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return a.at.Compare(b.at) })
	for n := range list {
		ids[n] = list[n].id
	}
}
