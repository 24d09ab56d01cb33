//go:build !linux

package lab

import (
	"context"
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
