// Package lab plays a site of simulated devices: each has its own addresses and answers with real packets, on a
// segment between network namespaces (for tests and benchmarks) or on loopback (for the demo). Devices are data:
// kinds/ holds what the devices of a maker have in common, sites/ the devices. Nothing here uses an encoder of the
// rooms that are tested against it: a reply is bytes or a text/template.
package lab

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed sites/*.yml
var siteFiles embed.FS

// Site is a described property: its networks and its devices.
type Site struct {
	Name     string
	About    string
	Segments []SegmentSpec
	Routed   []RoutedSpec
	Devices  []*Device
	styles   map[string]string // WS-Discovery envelopes by name
}

// SegmentSpec is one layer 2 network of a site. The first address of Prefix is its router's, the second the agent's.
type SegmentSpec struct {
	Name   string       `yaml:"name"`
	Prefix netip.Prefix `yaml:"prefix"`
	// Prefix6 is the IPv6 prefix of the segment; link-local addresses exist without it.
	Prefix6 netip.Prefix `yaml:"prefix6"`
}

// RoutedSpec is a network behind a router that stands on a segment.
type RoutedSpec struct {
	Prefix netip.Prefix `yaml:"prefix"`
	Router string       `yaml:"router"` // a device's name
}

// siteFile is a site as its YAML says it: devices are merged with their kinds before they are decoded.
type siteFile struct {
	Name     string           `yaml:"name"`
	About    string           `yaml:"about"`
	Include  []string         `yaml:"include"` // other sites whose devices are taken over
	Segments []SegmentSpec    `yaml:"segments"`
	Routed   []RoutedSpec     `yaml:"routed"`
	Devices  []map[string]any `yaml:"devices"`
}

// Named returns one of the sites that come with the package.
func Named(name string) (*Site, error) {
	f, err := siteFiles.Open(path.Join("sites", path.Base(name)+".yml"))
	if err != nil {
		return nil, fmt.Errorf("lab: site %q: no such site (there are: %s)", name, strings.Join(Names(), ", "))
	}
	defer f.Close()
	return Load(f)
}

// Names lists the sites that come with the package.
func Names() []string {
	entries, err := siteFiles.ReadDir("sites")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yml"))
	}
	return names
}

// Load reads a site: every device gets what its kind says, and an address, a MAC and a serial where it states none.
func Load(r io.Reader) (*Site, error) {
	f, err := readSite(r)
	if err != nil {
		return nil, err
	}
	k, err := loadKinds()
	if err != nil {
		return nil, err
	}
	s := &Site{Name: f.Name, About: f.About, Segments: f.Segments, Routed: f.Routed, styles: k.styles}
	if len(s.Segments) == 0 {
		return nil, fmt.Errorf("lab: site %q has no segment", s.Name)
	}
	for i, raw := range f.Devices {
		made, err := k.devices(raw)
		if err != nil {
			return nil, fmt.Errorf("lab: site %q, device %d (%v): %w", s.Name, i+1, raw["name"], err)
		}
		s.Devices = append(s.Devices, made...)
	}
	if err := s.settle(); err != nil {
		return nil, fmt.Errorf("lab: site %q: %w", s.Name, err)
	}
	return s, nil
}

func readSite(r io.Reader) (*siteFile, error) {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	f := &siteFile{}
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("lab: read a site: %w", err)
	}
	for _, name := range f.Include {
		other, err := siteFiles.Open(path.Join("sites", path.Base(name)+".yml"))
		if err != nil {
			return nil, fmt.Errorf("lab: site %q includes %q: no such site", f.Name, name)
		}
		in, err := readSite(other)
		if err := errors.Join(err, other.Close()); err != nil {
			return nil, err
		}
		f.Devices = append(in.Devices, f.Devices...)
	}
	return f, nil
}

// Device returns the device of that name.
func (s *Site) Device(name string) (*Device, bool) {
	for _, d := range s.Devices {
		if d.Name == name {
			return d, true
		}
	}
	return nil, false
}

// segment returns the index of the named segment; the empty name is the first.
func (s *Site) segment(name string) (int, error) {
	for i, spec := range s.Segments {
		if spec.Name == name || name == "" {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no segment is named %q", name)
}
