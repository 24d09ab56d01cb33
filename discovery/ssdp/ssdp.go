// Package ssdp is filled in below.
package ssdp

import (
	"errors"

	"camcensus/discovery"
)

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     "ssdp",
	Settings: func() any { return &Settings{} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		return nil, errors.New("ssdp: not built yet")
	},
	Kinds:    []string{"ssdp"},
	Fields:   Fields,
	Requests: requests(),
}

// Settings are the source's own.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}
