package discovery

import (
	"context"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// Env is what a source is built from.
type Env struct {
	Wire *Wire // already under the source's own name
	Log  *zap.Logger
	Now  func() time.Time
	// Greet may be nil: a sweep then closes what it has opened.
	Greet Greet
}

// Enabled is embedded (`yaml:",inline"`) in every source's settings: auto,
// true or false. Under auto a source stands down for want of a capability
// without that being a failure.
type Enabled struct {
	Enabled string `yaml:"enabled"`
}

// Auto reports whether the source is left to itself.
func (e Enabled) Auto() bool { return e.Enabled == "auto" || e.Enabled == "" }

// Off reports whether the source is switched off.
func (e Enabled) Off() bool { return e.Enabled == "false" }

// Known reports whether the switch stands where it can stand.
func (e Enabled) Known() bool { return e.Auto() || e.Off() || e.Enabled == "true" }

// Greet puts the first question over a connection that a sweep has opened
// anyway, so that the host is not connected to twice. The agent hands in the
// probes'; it leaves closing to the caller.
type Greet func(ctx context.Context, conn net.Conn, to netip.AddrPort) []Record
