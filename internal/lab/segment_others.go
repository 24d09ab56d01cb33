//go:build !linux

package lab

import (
	"context"
	"errors"
	"net/netip"
)

// SegmentOptions says how a site is played on a segment.
type SegmentOptions struct {
	Site           *Site
	AgentInterface string
	Agent          netip.Prefix
}

// Segment fails: network namespaces are a Linux feature.
func Segment(context.Context, SegmentOptions) (*Running, error) { return nil, errNoNamespaces }

// Loopback fails: other systems have one loopback address, not a network of them.
func Loopback(context.Context, *Site) (*Running, error) {
	return nil, errors.New("lab: the loopback form needs the whole network 127/8 (needs Linux)")
}
