package inventory

import "net/netip"

// A device that names another serial or endpoint at every visit, where no MAC is
// to be seen, would be a new device each time. Once maxHeirs have followed one
// another at an address, each within heirAge and none ever seen again, there or
// elsewhere, the next is taken for the last one.
const (
	maxHeirs   = 8
	heirAge    = 8 * day
	maxAddress = 4096 // of them are watched for it
)

// heirs are the latest devices that took over one address from one another.
type heirs struct {
	list []heir
	last int64
}

type heir struct {
	id    string
	until int64 // when the next one came
}

// unsteady tells whether the device at the address names itself anew each time.
func (i *Inventory) unsteady(e *entry, ip netip.Addr, now int64) bool {
	h := i.heirs[ip]
	if h == nil || len(h.list) < maxHeirs || h.list[len(h.list)-1].id != e.id || now-h.last > int64(heirAge) {
		return false
	}
	for n, one := range h.list {
		o := i.devices[one.id]
		if o == nil || len(o.macs) > 0 || len(o.bindings) != 1 || n < len(h.list)-1 && o.last > one.until {
			return false
		}
	}
	h.last, e.unsteady = now, true
	return true
}

// follow notes that one device took over the address from another.
func (i *Inventory) follow(from, to *entry, ip netip.Addr, now int64) {
	h := i.heirs[ip]
	if h == nil || now-h.last > int64(heirAge) || h.list[len(h.list)-1].id != from.id {
		if len(i.heirs) >= maxAddress {
			clear(i.heirs)
		}
		h = &heirs{list: []heir{{id: from.id}}}
		i.heirs[ip] = h
	}
	h.list[len(h.list)-1].until = now
	h.list = append(h.list, heir{id: to.id})
	h.list = h.list[max(len(h.list)-maxHeirs, 0):]
	h.last = now
}
