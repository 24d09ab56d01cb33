// Package wsd is filled in below.
package wsd

import (
	"errors"

	"camcensus/discovery"
)

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     "wsd",
	Settings: func() any { return &Settings{} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		return nil, errors.New("wsd: not built yet")
	},
	Kinds:    []string{"wsd"},
	Fields:   Fields,
	Requests: requests(),
}

// Settings are the source's own.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}
