// Package native asks for cameras by their makers' own search protocols: a
// table of small exchanges that all have one shape. A question of constant
// bytes goes to a segment by broadcast or to a group, the answers come back to
// the asking port or to a fixed one, and each answer is read into fields.
package native

import (
	"errors"

	"camcensus/discovery"
	"camcensus/discovery/facts"
)

// maxAnswer bounds one datagram; the longest honest answers are below 2 KiB.
const maxAnswer = 4 << 10

// vendor is one line of the table.
type vendor struct {
	name    string // source name and record kind
	summary string
	// requests is every message of the protocol that this program holds.
	requests []discovery.Request
	// answers tells the protocol's answers from all else that arrives.
	answers func(raw []byte) bool
	// read adds the facts of an answer.
	read func(l *facts.List, raw []byte)
	// redact blanks what is secret or belongs to an account; nil where the
	// protocol carries nothing of the kind.
	redact func(raw []byte) []byte
	// localPort is where the answers come, 0 for the asking port.
	localPort uint16
	// listenGroup is a group to which devices announce themselves, "" for none.
	listenGroup string
}

// vendors is the table. VStarcam and Topsee are left out on purpose: their
// answers hold clear-text passwords.
var vendors = []vendor{tvt, xmeye, hanwha, bosch, vivotek, sony, panasonic, foscam, ubiquiti, tplink, dvrip}

// Settings are the same for every line of the table.
type Settings struct {
	discovery.Enabled `yaml:",inline"`
}

// Protocols describes one source for each line of the table.
var Protocols = protocols()

func protocols() []discovery.Protocol {
	var list []discovery.Protocol
	for _, v := range vendors {
		list = append(list, discovery.Protocol{
			Name:     v.name,
			Summary:  v.summary,
			Settings: func() any { return &Settings{Enabled: discovery.Enabled{Enabled: "true"}} },
			New: func(env discovery.Env, settings any) (discovery.Source, error) {
				return nil, errors.New("not built yet")
			},
			Kinds:    []string{v.name},
			Fields:   v.fields,
			Requests: v.requests,
		})
	}
	return list
}

// fields reads one answer. Anything else has no fields.
func (v vendor) fields(kind string, raw []byte) []discovery.Field {
	if len(raw) > maxAnswer || !v.answers(raw) {
		return nil
	}
	var l facts.List
	v.read(&l, raw)
	return l.Fields()
}
