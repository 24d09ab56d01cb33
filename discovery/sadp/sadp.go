// Package sadp is filled in below.
package sadp

import (
	"errors"

	"camcensus/discovery"
)

// Protocol describes the source.
var Protocol = discovery.Protocol{
	Name:     "sadp",
	Settings: func() any { return &Settings{} },
	New: func(env discovery.Env, settings any) (discovery.Source, error) {
		return nil, errors.New("sadp: not built yet")
	},
	Kinds:    []string{"sadp"},
	Fields:   Fields,
	Requests: requests(),
}

// Settings are the source's own.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}
