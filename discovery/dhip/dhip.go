// Package dhip is filled in below.
package dhip

import (
	"errors"

	"camcensus/discovery"
)

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     "dhip",
	Settings: func() any { return &Settings{} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		return nil, errors.New("dhip: not built yet")
	},
	Kinds:    []string{"dhip"},
	Fields:   Fields,
	Requests: requests(),
}

// Settings are the source's own.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}
