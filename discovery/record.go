package discovery

import "time"

// Record is one line of evidence, DESIGN section 9: what scan --record writes,
// identify reads and the corpus is made of. Unknown keys are ignored.
type Record struct {
	Host      string    `json:"host"`
	Time      time.Time `json:"time,omitzero"`
	MAC       string    `json:"mac,omitempty"`
	IP        string    `json:"ip,omitempty"`
	Interface string    `json:"interface,omitempty"`
	VLAN      int       `json:"vlan,omitempty"`
	Kind      string    `json:"kind"`
	Port      int       `json:"port,omitempty"`
	Path      string    `json:"path,omitempty"`
	From      string    `json:"from,omitempty"` // sender, ip:port
	Request   string    `json:"request,omitempty"`
	Truncated bool      `json:"truncated,omitempty"`
	// Solicited: it answered a question put to this host alone, where the kind
	// does not tell (a unicast datagram that echoes our token).
	Solicited bool   `json:"solicited,omitempty"`
	Version   string `json:"version,omitempty"`
	Raw       string `json:"raw"`
	Base64    []byte `json:"base64,omitempty"` // instead of Raw when the reply is no valid UTF-8
}

// MaxRecordBody bounds the body of one record, in bytes.
const MaxRecordBody = 64 << 10

// Bytes returns the reply as received.
func (r Record) Bytes() []byte {
	if len(r.Base64) > 0 {
		return r.Base64
	}
	return []byte(r.Raw)
}
