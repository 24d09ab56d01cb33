package agent

import (
	"fmt"
	"slices"
	"testing"

	"camcensus/discovery"
)

// TestATailThatNobodyRegisteredIsNoMAC: makers end their endpoints' UUIDs with
// numbers of their own as well.
func TestATailThatNobodyRegisteredIsNoMAC(t *testing.T) {
	j, err := NewJudge(JudgeOptions{Lists: []string{"ca-hikvision-2025"}})
	if err != nil {
		t.Fatal(err)
	}
	const match = `<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">` +
		`<e:Header><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello</w:Action></e:Header><e:Body><d:Hello><w:EndpointReference><w:Address>urn:uuid:%s</w:Address></w:EndpointReference>` +
		`<d:Scopes>%s</d:Scopes></d:Hello></e:Body></e:Envelope>`
	const hikvision = "aa85c000-6324-11b3-819e-5850ed1fe385" // protocols.md section 1.8
	for name, c := range map[string]struct {
		kind, raw, frame string
		macs             []string
	}{
		"registered":            {"wsd", fmt.Sprintf(match, hikvision, ""), "", []string{"58:50:ed:1f:e3:85"}},
		"not registered":        {"wsd", fmt.Sprintf(match, "00030050-0000-1000-8000-04fffe000001", ""), "", nil},
		"not registered, USN":   {"ssdp", "NOTIFY * HTTP/1.1\r\nUSN: uuid:00030050-0000-1000-8000-04fffe000001::upnp:rootdevice\r\n\r\n", "", nil},
		"borne by the frame":    {"wsd", fmt.Sprintf(match, "00030050-0000-1000-8000-04fffe000001", ""), "04:ff:fe:00:00:01", []string{"04:ff:fe:00:00:01"}},
		"of a frame of its own": {"wsd", fmt.Sprintf(match, "00030050-0000-1000-8000-04fffe000001", ""), "02:00:00:00:00:07", []string{"02:00:00:00:00:07"}},
		"said in words too":     {"wsd", fmt.Sprintf(match, "00030050-0000-1000-8000-04fffe000001", "onvif://www.onvif.org/MAC/04:ff:fe:00:00:01"), "", []string{"04:ff:fe:00:00:01"}},
	} {
		r := discovery.Record{Kind: c.kind, Raw: c.raw, MAC: c.frame}
		var macs []string
		for _, e := range j.namesHardware(r, j.parsers.Evidence(r)) {
			if e.Field == "mac" {
				macs = append(macs, e.Value)
			}
		}
		if slices.Sort(macs); !slices.Equal(slices.Compact(macs), c.macs) {
			t.Errorf("%s: %v, want %v", name, macs, c.macs)
		}
	}
}
