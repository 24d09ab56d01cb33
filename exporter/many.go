package exporter

import (
	"container/heap"
	"encoding/base64"
	"slices"

	"camcensus/internal/inventory"
)

// Many gives the devices of a site so large that a slice of them all would
// cost too much memory. What it shows is there for the call only.
type Many interface {
	// Changes grows with every change of a device.
	Changes() uint64
	// Each shows all devices, without their reasons.
	Each(show func(*inventory.Device) bool)
	// EachBrief shows them without addresses, MACs and exceptions either.
	EachBrief(show func(*inventory.Device) bool)
	// Plain finds one device, without its reasons.
	Plain(id string) (inventory.Device, bool)
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

// walk shows what a filter needs to see of each device.
func walk(m Many, brief bool, show func(*inventory.Device) bool) {
	if brief {
		m.EachBrief(show)
		return
	}
	m.Each(show)
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

// pageOfMany is page, with the reasons read for those shown.
func (x *Exporter) pageOfMany(m Many, f *filter, limit int, after string) deviceList {
	l := deviceList{Devices: []inventory.Device{}}
	ids := make(lowest, 0, limit+2)
	walk(m, f.q == "", func(d *inventory.Device) bool {
		if !f.matches(d) {
			return true
		}
		l.Total++
		if d.ID <= after || len(ids) > limit && d.ID >= ids[0] {
			return true
		}
		heap.Push(&ids, d.ID)
		if len(ids) > limit+1 {
			heap.Pop(&ids)
		}
		return true
	})
	slices.Sort(ids)
	for n, id := range ids {
		if n == limit {
			l.Next = base64.RawURLEncoding.EncodeToString([]byte(ids[n-1]))
			break
		}
		if d, ok := x.agent.Device(id); ok {
			l.Devices = append(l.Devices, complete(d))
		}
	}
	return l
}

// ranks are the ids that a reader looks for, by severity, each in order of
// appearance.
type ranks struct {
	total int
	ids   [nVerdicts][]string
}

func rank(m Many, brief bool, wanted func(*inventory.Device) bool) *ranks {
	r := &ranks{}
	walk(m, brief, func(d *inventory.Device) bool {
		if wanted(d) {
			at := severity(worstVerdict(d))
			r.ids[at] = append(r.ids[at], d.ID)
			r.total++
		}
		return true
	})
	return r
}

// part returns those from start to end in the order that readers like.
func (r *ranks) part(m Many, start, end int) []*inventory.Device {
	all := slices.Concat(r.ids[:]...)
	sorted := r.total <= sortByAddressUpTo
	if !sorted {
		all = all[start:end]
	}
	var out []*inventory.Device
	for _, id := range all {
		if d, ok := m.Plain(id); ok {
			out = append(out, &d)
		}
	}
	if !sorted {
		return out
	}
	sortForReaders(out)
	return out[min(start, len(out)):min(end, len(out))]
}
