package agent

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"camcensus/discovery"
)

func TestRedactTakesTheDevicesOwnNamesOutWhereverTheyStand(t *testing.T) {
	mac := net.HardwareAddr{0xac, 0xcc, 0x8e, 0x12, 0x34, 0x56}
	own := Names{
		macs:  []namedMAC{{mac, regexp.MustCompile(`(?i)ac[-:._]?cc[-:._]?8e[-:._]?12[-:._]?34[-:._]?56`)}},
		texts: []string{"AMC0123456789", "front-door"},
	}
	for _, raw := range []string{
		`{"instance":"x","txt":["macaddress=ACCC8E123456"]}`,
		`{"subject":"CN=NPIACCC8E123456,O=HP"}`,
		`WWW-Authenticate: Digest realm="iPolis_ac-cc-8e-12-34-56"`,
		`USN: uuid:00000000-0000-0000-0000-accc8e123456::upnp:rootdevice`,
		`SERIAL: amc0123456789`,
		`{"txt":["name=front-door"]}`,
	} {
		got := Redact(discovery.Record{Kind: "http", Raw: raw}, own).Raw
		for _, secret := range []string{"123456", "12-34-56", "amc0123456789", "front-door"} {
			if strings.Contains(strings.ToLower(got), secret) {
				t.Errorf("%s: %s stays in %s", raw, secret, got)
			}
		}
	}
	binary := append([]byte{0xff, 0x01}, mac...)
	binary = append(binary, "ACCC8E123456 AMC0123456789\x00\xfe"...)
	got := Redact(discovery.Record{Kind: "hanwha", Base64: binary}, own).Base64
	if len(got) != len(binary) {
		t.Errorf("a binary answer of %d bytes has %d afterwards", len(binary), len(got))
	}
	if s := string(got); strings.Contains(s, "123456") || strings.Contains(s, "\x12\x34\x56") || !strings.Contains(s, "ACCC8E000000") {
		t.Errorf("the binary answer reads %q", s)
	}
}
