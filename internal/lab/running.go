package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Running is a site that is being played.
type Running struct {
	Site *Site

	voices []*voice
	byName map[string]*voice
	loss   atomic.Uint64 // share of lost frames times 2^32
	form   form
	tape   *tape
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	timers map[*time.Timer]struct{}
	work   sync.WaitGroup
}

// form is how the devices reach the agent: a segment or loopback.
type form interface {
	// send puts a device's datagram on the wire.
	send(v *voice, d datagram)
	// plugged tells that the device's cable went in or out.
	plugged(v *voice, in bool)
	// chatter lets the device ask for its lease.
	chatter(v *voice)
	close() error
}

// Frame is one frame that crossed a segment.
type Frame struct {
	Time      time.Time
	Interface string // the agent's
	Sent      bool   // by the agent
	Lost      bool   // by SetLoss or a fault: it was sent, but did not arrive
	Raw       []byte // headers and up to 1,514 bytes

	SrcMAC, DstMAC   net.HardwareAddr
	EtherType        uint16
	Src, Dst         netip.Addr // IP addresses, ARP's sender and target
	Protocol         uint8      // IP protocol
	SrcPort, DstPort uint16
	TCPFlags         uint8 // SYN is 2, ACK 16
	ICMPType         uint8
}

func newRunning(s *Site, port func(uint16) uint16) *Running {
	r := &Running{Site: s, byName: map[string]*voice{}, timers: map[*time.Timer]struct{}{}, tape: newTape()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, d := range s.Devices {
		v := newVoice(s, d, port)
		r.voices = append(r.voices, v)
		r.byName[d.Name] = v
	}
	return r
}

// start lets the devices announce themselves and plugs in those that come later.
func (r *Running) start() {
	for _, v := range r.voices {
		if v.PlugAfter > 0 {
			r.after(v.PlugAfter, func() { r.plug(v) })
		}
		if v.plugged.Load() {
			for _, d := range v.greetings() {
				d.after += time.Duration(rand.IntN(200)) * time.Millisecond
				r.sendLater(v, d)
			}
		}
		r.recur(v)
	}
}

// recur starts what a device says again and again.
func (r *Running) recur(v *voice) {
	if v.DHCP != nil {
		r.after(time.Duration(rand.IntN(1000))*time.Millisecond, func() {
			if v.plugged.Load() {
				r.form.chatter(v)
			}
		})
		if v.DHCP.Every > 0 {
			r.every(v.DHCP.Every, v, func() { r.form.chatter(v) })
		}
	}
	for _, d := range v.UDP {
		if d.Announce != nil && d.Announce.Every > 0 && !v.Hidden {
			r.every(d.Announce.Every, v, func() {
				for _, out := range v.shout(d) {
					r.form.send(v, out)
				}
			})
		}
	}
}

func (r *Running) every(period time.Duration, v *voice, do func()) {
	r.after(period, func() {
		if v.plugged.Load() {
			do()
		}
		r.every(period, v, do)
	})
}

// after runs do later, unless the site is closed by then.
func (r *Running) after(wait time.Duration, do func()) {
	if wait <= 0 {
		do()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(wait, func() {
		r.mu.Lock()
		delete(r.timers, t)
		ended := r.closed
		if !ended {
			r.work.Add(1)
		}
		r.mu.Unlock()
		if !ended {
			defer r.work.Done()
			do()
		}
	})
	r.timers[t] = struct{}{}
}

func (r *Running) sendLater(v *voice, d datagram) {
	r.after(d.after, func() {
		if v.plugged.Load() {
			r.form.send(v, d)
		}
	})
}

// Plug puts the cable of a device in; it announces itself as its description says. Plugging twice is no error.
func (r *Running) Plug(name string) error {
	v, ok := r.byName[name]
	if !ok {
		return fmt.Errorf("lab: plug %q: no such device", name)
	}
	r.plug(v)
	return nil
}

func (r *Running) plug(v *voice) {
	if v.plugged.Swap(true) {
		return
	}
	r.form.plugged(v, true)
	for _, d := range v.greetings() {
		r.sendLater(v, d)
	}
}

// Unplug pulls the cable of a device: it says Bye if its description says so, then answers nothing.
func (r *Running) Unplug(name string) error {
	v, ok := r.byName[name]
	if !ok {
		return fmt.Errorf("lab: unplug %q: no such device", name)
	}
	if !v.plugged.Load() {
		return nil
	}
	for _, d := range v.farewells() {
		r.form.send(v, d)
	}
	v.plugged.Store(false)
	r.form.plugged(v, false)
	return nil
}

// SetLoss makes that share of all frames vanish, in both directions: 0 none, 1 all.
func (r *Running) SetLoss(share float64) {
	r.loss.Store(uint64(max(0, min(1, share)) * (1 << 32)))
}

func (r *Running) lost(v *voice) bool {
	if share := r.loss.Load(); share > 0 && uint64(rand.Uint32()) < share {
		return true
	}
	return v != nil && v.Faults.Loss > 0 && rand.Float64() < v.Faults.Loss
}

// Inject puts a frame on a segment as it is, as no device of the site would say it: forged, malformed, one of a flood. It is
// not captured.
func (r *Running) Inject(segment int, frame []byte) error {
	f, ok := r.form.(interface {
		inject(segment int, frame []byte) error
	})
	if !ok {
		return errors.New("lab: inject: only a segment has frames")
	}
	return f.inject(segment, frame)
}

// Cable pulls the cable of a segment out at the far end, so that the agent's interface loses its carrier, or puts it in again.
func (r *Running) Cable(segment int, in bool) error {
	f, ok := r.form.(interface {
		cable(segment int, in bool) error
	})
	if !ok {
		return errors.New("lab: cable: only a segment has one")
	}
	return f.cable(segment, in)
}

// Captured returns the frames that the agent sent so far, oldest first.
func (r *Running) Captured() []Frame { return r.tape.frames(true) }

// Frames returns all frames that crossed the segments so far, both ways.
func (r *Running) Frames() []Frame { return r.tape.frames(false) }

// Forget empties the capture.
func (r *Running) Forget() { r.tape.forget() }

// WritePcap writes the capture of both directions in the format of libpcap.
func (r *Running) WritePcap(w io.Writer) error { return r.tape.writePcap(w) }

// Close ends every device and removes what was made for them.
func (r *Running) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	for t := range r.timers {
		t.Stop()
	}
	r.mu.Unlock()
	r.cancel()
	err := r.form.close()
	r.work.Wait()
	return err
}
