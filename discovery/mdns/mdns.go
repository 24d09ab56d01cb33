// Package mdns is filled in below.
package mdns

import (
	"errors"

	"camcensus/discovery"
)

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     "mdns",
	Settings: func() any { return &Settings{} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		return nil, errors.New("mdns: not built yet")
	},
	Kinds:    []string{"mdns"},
	Fields:   Fields,
	Requests: requests(),
}

// Settings are the source's own.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}
