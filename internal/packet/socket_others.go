//go:build !linux

package packet

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Conn is a raw socket; this system has none.
type Conn struct{}

// Open always fails with ErrNoCapability.
func Open(o Options) (*Conn, error) {
	return nil, fmt.Errorf("packet: raw socket on %s: not on %s: %w", o.Interface, runtime.GOOS, ErrNoCapability)
}

// ReadPacket always fails.
func (*Conn) ReadPacket([]byte) (int, CaptureInfo, error) {
	return 0, CaptureInfo{}, ErrNoCapability
}

// WritePacket always fails.
func (*Conn) WritePacket(context.Context, []byte) error { return ErrNoCapability }

// SetReadDeadline always fails.
func (*Conn) SetReadDeadline(time.Time) error { return ErrNoCapability }

// Stats is empty.
func (*Conn) Stats() Stats { return Stats{} }

// Close does nothing.
func (*Conn) Close() error { return nil }
