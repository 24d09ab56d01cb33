// Package probe puts read-only questions to one host at a time: over HTTP,
// TLS, RTSP, ONVIF, ISAPI and UPnP. It hands back what was answered as
// received, and reads the named fields off such answers. The questions are
// constants; there is no way through here to write, to log in by guess, or to
// reach another host.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/fingerprint"
)

// Target is the host that is asked.
type Target struct {
	IP        netip.Addr
	Interface string           // "" when it is routed
	MAC       net.HardwareAddr // as last seen on the link; nil when unknown
	// Class is what the host has been identified as. Credentials go to
	// cameras and their like alone.
	Class fingerprint.Class
}

// Answer is what came of one question.
type Answer struct {
	Records []discovery.Record
	Open    bool   // the port accepted a connection
	Failure string // "", or one of fingerprint's Failed constants
	Err     error
	// Hints are further ports of this host that the answer names, Later the
	// questions a redirect suggests.
	Hints []uint16
	Later []fingerprint.Question

	Answered    bool // at least one byte came back
	Status      int  // of the last HTTP or RTSP answer
	Connections int  // TCP connections tried
	Requests    int  // HTTP or RTSP requests sent
	Took        time.Duration
}

// Asked is the answer as fingerprint.Next wants to remember it.
func (a Answer) Asked(q fingerprint.Question, at time.Time) fingerprint.Asked {
	return fingerprint.Asked{
		Question: q, Time: at, Took: a.Took, Connections: a.Connections, Requests: a.Requests,
		Open: a.Open, Answered: a.Answered, Status: a.Status, Failure: a.Failure,
		Later: a.Later, Hints: a.Hints,
	}
}

// Options are what a Prober is built from.
type Options struct {
	Wire    *discovery.Wire
	Timeout time.Duration // of one question, from the accepted connection on; 3 s when zero
	// UserAgent names the tool and whom to ask about it:
	// "camcensus/1.0 (+soc@example.org)".
	UserAgent   string
	Credentials *Credentials // nil: no login, ever
	Log         *zap.Logger
	Now         func() time.Time
}

// Prober asks. It is safe for many hosts at a time; Wire sees to it that any
// one host has one connection.
type Prober struct {
	wire      func(source string) dialer
	timeout   time.Duration
	userAgent string
	logins    *logins
	log       *zap.Logger
	now       func() time.Time
}

// dialer is the part of discovery.Wire that questions need.
type dialer interface {
	DialTCP(ctx context.Context, to netip.AddrPort, iface string) (net.Conn, error)
}

// New returns a Prober ready to ask.
func New(o Options) *Prober {
	p := &Prober{
		wire:    func(source string) dialer { return o.Wire.For(source) },
		timeout: o.Timeout, userAgent: cleanHeader(o.UserAgent), logins: newLogins(o.Credentials),
		log: o.Log, now: o.Now,
	}
	if p.timeout <= 0 {
		p.timeout = 3 * time.Second
	}
	if p.userAgent == "" {
		p.userAgent = "camcensus"
	}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}

var (
	errNoQuestion = errors.New("not one of the fixed questions")
	errNoLogin    = errors.New("no credentials may go to this host")
)

// kinds are the questions there are, one file each.
var kinds = map[string]func(*asking, context.Context) error{
	"http":    (*asking).http,
	"https":   (*asking).https,
	"tls":     (*asking).tls,
	"rtsp":    (*asking).rtsp,
	"onvif":   (*asking).onvif,
	"isapi":   (*asking).isapi,
	"upnp":    (*asking).upnp,
	"favicon": (*asking).favicon,
}

// Ask puts one question and returns what was answered. It never keeps a host
// busy for longer than the timeout, and reads at most 64 KiB of a body.
func (p *Prober) Ask(ctx context.Context, t Target, q fingerprint.Question) Answer {
	return p.AskOn(ctx, nil, t, q)
}

// AskOn is Ask over a connection that is already accepted, which it closes: a
// sweep's open port is the first question's.
func (p *Prober) AskOn(ctx context.Context, conn net.Conn, t Target, q fingerprint.Question) Answer {
	a := &asking{Prober: p, target: t, q: q, ready: conn, left: p.timeout}
	defer func() {
		if a.ready != nil {
			a.ready.Close()
		}
	}()
	err := a.ask(ctx)
	a.fail(ctx, err)
	if err != nil {
		p.log.Debug("question failed", zap.String("probe", q.Probe), zap.Stringer("ip", t.IP),
			zap.Uint16("port", q.Port), zap.String("reason", a.answer.Failure), zap.Error(err))
	}
	return a.answer
}

func (a *asking) ask(ctx context.Context) error {
	ask, known := kinds[a.q.Probe]
	request, fixed := requestFor(a.q)
	if !known || !fixed || a.q.Port == 0 {
		return fmt.Errorf("%s %s on port %d: %w", a.q.Probe, a.q.Path, a.q.Port, errNoQuestion)
	}
	a.request = request
	return ask(a, ctx)
}
