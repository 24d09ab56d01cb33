package inventory

import (
	"errors"
	"iter"
	"net/netip"
	"slices"
	"sync"

	"camcensus/fingerprint"
)

// Changes grows with every visible change of a device.
func (i *Inventory) Changes() uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.changes
}

// EachBrief shows every device, oldest first, without Reasons and
// Contradictions, addresses, MACs and exceptions, until yield returns false:
// what counting needs, and no allocation. The device is yield's for the call
// only; yield must not call the inventory. Several share the devices out between
// them: the first has the oldest, all at the same time.
func (i *Inventory) EachBrief(yield ...func(*Device) bool) {
	i.shareOut(len(yield), func(part int, some []*entry) {
		b, yield := &briefly{}, yield[part]
		for _, e := range some {
			if !e.gone && !yield(b.of(i, e)) {
				return
			}
		}
	})
}

// shareOut has all devices, as they are at one moment, walked over in so many
// parts at a time. What a walk panics with, so does shareOut.
func (i *Inventory) shareOut(parts int, walk func(part int, some []*entry)) {
	defer i.reading()()
	i.mu.RLock()
	defer i.mu.RUnlock()
	if parts == 1 {
		walk(0, i.order)
		return
	}
	var walks sync.WaitGroup
	failed := make([]error, parts)
	for part := range parts {
		from, to := part*len(i.order)/parts, (part+1)*len(i.order)/parts
		walks.Go(func() {
			failed[part] = safely(func() { walk(part, i.order[from:to]) })
		})
	}
	walks.Wait()
	if err := errors.Join(failed...); err != nil {
		panic(err)
	}
}

// briefly is a device in brief that one after the other is put into: what the next
// has in common with the last stays, since each pointer written costs where
// memory is being collected.
type briefly struct {
	Device
	kin     *kin
	peopled bool // persons said something of it
}

func (b *briefly) of(i *Inventory, e *entry) *Device {
	d := &b.Device
	p := e.people
	if e.kin != b.kin || p != nil || b.peopled {
		c := e.claims
		d.Site, d.Interface, d.Reachability, d.SwitchPort = i.opt.Site, e.where.iface, e.where.reach, e.where.port
		d.Manufacturer, d.Brand, d.Model, d.Firmware = c.manufacturer, c.brand, c.model, c.firmware
		d.Class, d.Certainty, d.Channels = c.class, c.certainty, c.channels
		d.State, d.Sources, d.Verdicts = e.state, e.sources, e.verdicts
		d.Determination, d.BySigns, d.Annotations, d.Removal = nil, "", Annotations{}, nil
		if p != nil {
			d.Verdicts = i.excepted(e)
			d.Annotations, d.Removal = p.annotations, p.removal
			d.determined(p.determination)
		}
		b.kin, b.peopled = e.kin, p != nil
	}
	d.ID, d.Hostnames, d.Serial = e.id, e.hostnames, e.serial
	d.FirstSeen, d.LastSeen, d.Returned = at(e.first), at(e.last), at(e.returned)
	return d
}

// Plain is Device without Reasons and Contradictions, which would have to be
// read from the store.
func (i *Inventory) Plain(id string) (Device, bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	e := i.find(id)
	if e == nil {
		return Device{}, false
	}
	return i.public(e, false), true
}

// Address is where a device was last, the zero Addr when nowhere or when there is
// no such device.
func (i *Inventory) Address(id string) netip.Addr {
	i.mu.RLock()
	defer i.mu.RUnlock()
	e := i.find(id)
	if e == nil || len(e.bindings) == 0 {
		return netip.Addr{}
	}
	bindings := e.latest()
	return bindings[max(0, slices.IndexFunc(bindings, func(b binding) bool { return b.live }))].ip()
}

// All walks over the devices of this moment, oldest first, without Reasons and
// Contradictions. The loop may call the inventory; a device is the loop's for
// one turn only.
func (i *Inventory) All() iter.Seq[*Device] {
	return func(yield func(*Device) bool) {
		i.mu.Lock()
		list := slices.Clone(i.sorted())
		i.mu.Unlock()
		d := &Device{}
		for _, e := range list {
			i.mu.RLock()
			gone := e.gone
			if !gone {
				*d = i.public(e, false)
			}
			i.mu.RUnlock()
			if !gone && !yield(d) {
				return
			}
		}
	}
}

// Channels counts the channels that recorders declare, less the cameras that a
// recorder's own address relays, and the recorders that do not say.
func (i *Inventory) Channels() (unassessed, silent int) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if c := i.channels.Load(); c != nil && c.changes == i.changes {
		return c.unassessed, c.silent
	}
	for _, e := range i.order {
		switch {
		case e.gone || e.state == Removed || e.claims.class != fingerprint.ClassRecorder:
		case e.claims.channels < 0:
			silent++
		default:
			unassessed += max(0, e.claims.channels-i.relayed(e))
		}
	}
	i.channels.Store(&channels{i.changes, unassessed, silent})
	return unassessed, silent
}

// channels are those of recorders at one state of the inventory.
type channels struct {
	changes            uint64
	unassessed, silent int
}

// relayed counts the cameras that share an address of a recorder.
func (i *Inventory) relayed(recorder *entry) int {
	seen := map[*entry]bool{}
	for _, b := range recorder.bindings {
		if !b.live {
			continue
		}
		for _, e := range i.at(b.ip()) {
			if e.claims.class == fingerprint.ClassCamera && e.state != Removed {
				seen[e] = true
			}
		}
	}
	return len(seen)
}
