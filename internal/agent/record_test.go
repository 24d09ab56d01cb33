package agent

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"camcensus/discovery"
)

// TestARecordTellsThatItsHostAloneWasAsked writes a unicast answer of SADP as
// scan --record does and reads it as identify does: what made the scan sure
// makes identify sure.
func TestARecordTellsThatItsHostAloneWasAsked(t *testing.T) {
	j, err := NewJudge(JudgeOptions{Lists: []string{"ca-hikvision-2025"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, solicited := range []bool{false, true} {
		line, err := json.Marshal(recordOf(discovery.Sighting{
			Source: "sadp", Kind: "sadp", IP: netip.MustParseAddr("10.20.0.31"), Port: 37020, Solicited: solicited,
			Raw: []byte(`<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>A5A63ABB</Uuid><Types>inquiry</Types><DeviceType>48134</DeviceType>` +
				`<DeviceDescription>DS-2CD2042WD-I</DeviceDescription><DeviceSN>DS-2CD2042WD-I20160101AAWR123456789</DeviceSN>` +
				`<MAC>44-19-b6-01-02-03</MAC><IPv4Address>10.20.0.31</IPv4Address><SoftwareVersion>V5.4.5build 170123</SoftwareVersion></ProbeMatch>`),
		}))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if _, err := j.Identify([]Input{{Name: "record", Reader: bytes.NewReader(line)}}, &out, func(err error) { t.Error(err) }); err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{false: `"verdict":"suspected"`, true: `"verdict":"banned"`}[solicited]
		if !strings.Contains(out.String(), want) {
			t.Errorf("solicited %t: %s, want %s", solicited, out.String(), want)
		}
	}
}
