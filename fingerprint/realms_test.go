package fingerprint_test

import (
	"fmt"
	"testing"

	"camcensus/discovery"
	"camcensus/internal/policy"
)

const loginArea = "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"%s\", nonce=\"47f1\", stale=\"FALSE\"\r\n\r\n"

// TestLogInAreas: Dahua's wording with a label of its relabels suspects, with
// any other word it does not; a log-in area that is a hardware address tells
// the address's registrant and no more than an address may.
func TestLogInAreas(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	for realm, grade := range map[string]string{
		"Login to Amcrest":       policy.SuspectedV,
		"Login to Lorex":         policy.SuspectedV,
		"Login to IC Realtime":   policy.SuspectedV,
		"Login to Honeywell":     "", // makes much else, and its own
		"Login to Panasonic":     "",
		"Login to Bosch":         "",
		"Login to Intelbras":     "", // routers and telephones
		"Login to Axis":          "",
		"Login to Alice":         "",
		"Login to Amcrest Shop":  "",
		"Amcrest":                "",
		"4419b66d2485":           policy.SuspectedV, // registered to Hikvision
		"3c-ef-8c-00-00-01":      policy.SuspectedV, // to Dahua
		"accc8e6d2485":           "",                // to Axis
		"4619b66d2485":           "",                // given by no factory
		"4419b66d24854419b66d24": "",
		"dc4f226d2485":           "", // to a maker of modules
	} {
		shaped{"log-in area " + realm, "rtsp", "/", fmt.Sprintf(loginArea, realm), grade}.check(t, rules, ps, "as it came")
	}
}

// TestAddressAndStreamAreTwoSigns: the address in the log-in area and the
// stream's description are of two groups; the address twice is one sign.
func TestAddressAndStreamAreTwoSigns(t *testing.T) {
	rules := shippedRules(t)
	area := discovery.Record{Kind: "rtsp", Path: "/a", Port: 554, Raw: fmt.Sprintf(loginArea, "4419b66d2485")}
	stream := discovery.Record{Kind: "rtsp", Path: "/b", Port: 554, Raw: "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=Media Presentation\r\n" +
		"a=Media_header:MEDIAINFO=494D4B48010200000400000111710110401F000000FA000000000000000000000000000000000000;\r\na=appversion:1.0\r\n"}
	if id := rules.Identify(evidenceOf([]discovery.Record{area, stream})); id.Manufacturer != "Hikvision" {
		t.Errorf("address and stream: named %q", id.Manufacturer)
	}
	for _, alone := range [][]discovery.Record{{area}, {{Kind: "arp", MAC: "44:19:b6:6d:24:85"}, area}} {
		if id := rules.Identify(evidenceOf(alone)); id.Manufacturer != "" {
			t.Errorf("the address alone: named %q", id.Manufacturer)
		}
	}
}

// TestHiLookTogetherWithItsNamespace: HiLook's way of numbering models is a
// sign beside Hikvision's namespace and a factory serial number, and a hint
// without them.
func TestHiLookTogetherWithItsNamespace(t *testing.T) {
	rules := shippedRules(t)
	const serial = "1620170915AARR831427436WCVU"
	for _, tc := range []struct{ space, model, serial, maker string }{
		{"http://www.hikvision.com/ver20/XMLSchema", "NVR-216M-A", serial, "Hikvision"},
		{"http://www.hikvision.com/ver20/XMLSchema", "NVR-216M-A", "1", ""},
		{"http://www.hikvision.com/ver20/XMLSchema", "XR-216", serial, ""},
		{"http://www.std-cgi.com/ver20/XMLSchema", "NVR-216M-A", serial, ""},
		{"http://www.std-cgi.com/ver20/XMLSchema", "NVR-216M-A", "1", ""},
	} {
		raw := `<DeviceInfo xmlns="` + tc.space + `"><deviceName>Recorder</deviceName><model>` + tc.model + `</model><serialNumber>` + tc.serial + `</serialNumber></DeviceInfo>`
		id := rules.Identify(evidenceOf([]discovery.Record{{Kind: "isapi", Path: "/ISAPI/System/deviceInfo", Port: 80, Raw: raw}}))
		if id.Manufacturer != tc.maker || tc.maker != "" && id.Brand != "HiLook" {
			t.Errorf("%+v: named %q, sold as %q: %+v", tc, id.Manufacturer, id.Brand, id.Candidates)
		}
	}
}
