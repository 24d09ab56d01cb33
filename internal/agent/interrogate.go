package agent

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/fingerprint/probe"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// work asks hosts, as many at a time as the configuration allows, until ctx
// ends. It waits for those that are being asked then.
func (a *Agent) work(ctx context.Context) {
	free := make(chan struct{}, a.config().Fingerprint.Concurrency)
	var busy sync.WaitGroup
	defer busy.Wait()
	for {
		free <- struct{}{}
		h := a.hosts.take(ctx)
		if h == nil {
			return
		}
		busy.Go(func() {
			a.interrogate(ctx, h)
			a.hosts.done(h)
			<-free
		})
	}
}

// interrogate asks one host question after question, until no active
// policy's verdict can change and its class is known, its budget is used up,
// or nothing is left to ask; then the devices that turned up behind it.
func (a *Agent) interrogate(ctx context.Context, h *host) {
	sighted := h.device
	if holder := a.wire.HolderOf(h.addr, h.iface); holder != nil && a.wire.Contested(h.addr) {
		a.turnTo(h, sender(h.addr, holder)) // of two that claim the address, questions reach this one
	}
	h.begin(a.now(), a.config().Discovery.IdentifyInterval.D())
	h.greet(a.greeted.take(h.addr))
	behind, ok := a.pass(ctx, h, &h.device, func() fingerprint.State {
		return fingerprint.State{Asked: h.asked, Ports: h.ports, Swept: len(h.ports) > 0 && a.routed(h.addr)}
	})
	for port, device := range behind {
		if !ok {
			break
		}
		_, ok = a.pass(ctx, h, &device, func() fingerprint.State {
			return fingerprint.State{Asked: h.askedAtPort(port), Ports: []uint16{port}, Swept: true}
		})
	}
	a.assess(h.device)
	if h.device != sighted {
		a.assess(sighted)
	}
}

// pass asks one device of the host; state tells what was asked so far, and
// which ports are open. It returns the devices found behind the host, by port,
// and whether the host may be asked more.
func (a *Agent) pass(ctx context.Context, h *host, device *string, state func() fingerprint.State) (behind map[uint16]string, ok bool) {
	behind = map[uint16]string{}
	for ctx.Err() == nil && !a.silent() {
		id, ev := a.assess(*device)
		st := state()
		st.Evidence, st.Identity, st.Settled = ev, id, a.judge().Settled(id)
		st.IP, st.Routed, st.Login = h.addr, a.routed(h.addr), a.credentials.For(h.addr)
		st.Now, st.Since = a.now(), h.since
		q, more := fingerprint.Next(st)
		if !more {
			return behind, true
		}
		ans, void := a.ask(ctx, h, q, id.Class)
		if ans.Failure == fingerprint.FailedCancelled {
			break
		}
		a.counts.probe(q.Probe, ans.Failure)
		h.note(ans.Asked(q, a.now()))
		if void {
			break // who holds the address is open: the next sighting tells
		}
		for _, rec := range ans.Records {
			seen := a.answer(h, *device, rec, q.Behind)
			if q.Behind && seen != *device {
				behind[q.Port] = seen
			} else {
				*device = seen
			}
		}
		if ans.Failure == fingerprint.FailedBudget || ans.Failure == fingerprint.FailedScope {
			break
		}
	}
	return behind, false
}

// ask puts one question. The answer is that of the MAC which the kernel had
// for the address both before and after, or, where it had none before, of the
// one that was sighted there; it is void when that changed, since then nobody
// knows whose it is.
func (a *Agent) ask(ctx context.Context, h *host, q fingerprint.Question, class fingerprint.Class) (ans probe.Answer, void bool) {
	holder := func() net.HardwareAddr { return sender(h.addr, a.wire.HolderOf(h.addr, h.iface)) }
	before := holder()
	if before == nil {
		before = h.mac
	}
	ans = a.prober.Ask(ctx, probe.Target{IP: h.addr, Interface: h.iface, MAC: h.mac, Class: class}, q)
	if len(ans.Records) == 0 {
		return ans, false
	}
	after := holder()
	if before != nil && after != nil && !bytes.Equal(before, after) {
		a.log.Debug("answer dropped: another device took the address while it was asked", zap.Stringer("ip", h.addr),
			zap.Stringer("before", before), zap.Stringer("after", after))
		return ans, true
	}
	if after == nil {
		after = before
	}
	if after != nil && !bytes.Equal(after, h.mac) {
		a.turnTo(h, after)
		for i := range ans.Records {
			ans.Records[i].MAC = after.String()
		}
	}
	return ans, false
}

// turnTo has questions chosen for the device that bears the MAC: it holds the
// address, whoever was sighted there.
func (a *Agent) turnTo(h *host, holder net.HardwareAddr) {
	h.turnTo(holder)
	if h.device != "" && !a.wire.Contested(h.addr) {
		return
	}
	if id, ok := a.inventory.Bearer(holder); ok {
		h.device = id
	}
}

// answer takes one answer of the host into the inventory, and returns whose
// it is.
func (a *Agent) answer(h *host, device string, rec discovery.Record, behind bool) string {
	rec.IP, rec.Interface = h.addr.String(), h.iface
	rec.Host = rec.IP
	if rec.Time.IsZero() {
		rec.Time = a.now()
	}
	rec.Time = rec.Time.UTC()
	rec.Solicited = !probeKinds[rec.Kind]
	evidence := a.judge().parsers.Evidence(rec)
	o := inventory.Observation{
		Time: rec.Time, Interface: h.iface, IP: h.addr, MAC: h.mac,
		Kind: rec.Kind, Evidence: evidence, Record: rec, Reachability: "ip", Solicited: true, Checked: true,
	}
	if behind && a.ofAnother(device, evidence) {
		o.Behind, o.Source = true, "sweep" // an accepted connection is all that shows it
	}
	seen := a.inventory.Observe(o)
	if seen.Device != device {
		a.unjudged.add(seen.Device)
	}
	a.divide(seen.Split)
	a.late(seen.Late)
	a.keeper.keep(seen.Device, rec)
	return seen.Device
}

// ofAnother tells whether an answer shows a camera that the device, which
// forwards, is not itself: network equipment is none, and a camera has one
// maker.
func (a *Agent) ofAnother(device string, answer []fingerprint.Evidence) bool {
	shown := a.judge().rules.Identify(answer)
	if !shown.MaybeCamera && !fingerprint.IsCameraClass(shown.Class) {
		return false
	}
	d, _ := a.inventory.Device(device)
	maker := d.MakerBySigns()
	return d.Class == fingerprint.ClassNetwork && !mereRTSP(shown, answer) ||
		shown.Manufacturer != "" && shown.Manufacturer != maker ||
		maker != "" && slices.ContainsFunc(shown.Candidates, func(c fingerprint.Candidate) bool {
			return c.Standing >= fingerprint.Suspected && c.Maker != maker && c.Of != maker
		})
}

// mereRTSP tells of an answer that shows RTSP spoken and no stream: neither a
// login to one nor its description, nor any other sign. Routers answer so
// themselves, that pass on streams or receive television. A camera whose port
// is forwarded asks for a login, or describes what it shows to everybody.
func mereRTSP(shown fingerprint.Identity, answer []fingerprint.Evidence) bool {
	return len(shown.Reasons) <= 1 && len(shown.Candidates) == 0 &&
		!slices.ContainsFunc(answer, func(e fingerprint.Evidence) bool {
			return e.Source != "rtsp" || e.Field == "auth" || e.Field == "realm" || e.Field == "body"
		})
}

// assess identifies and judges a device from all its evidence and commits the
// outcome. Where a reload brings another judge meanwhile, that one has the last
// word.
func (a *Agent) assess(device string) (id fingerprint.Identity, ev []fingerprint.Evidence) {
	a.unjudged.remove(device)
	for by := (*Judge)(nil); by != a.judge(); {
		by = a.judge()
		ev = a.inventory.Evidence(device)
		d, _ := a.inventory.Device(device)
		var verdicts []policy.Verdict
		id, verdicts = by.AssessDevice(d, ev, a.now())
		a.inventory.Commit(device, id, verdicts, a.now())
	}
	if a.stream.watched() {
		if d, ok := a.inventory.Device(device); ok {
			a.stream.device(d)
		}
	}
	return id, ev
}
