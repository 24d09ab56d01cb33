package fingerprint_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// said is one answer: a kind, a port, and fields with their values.
type said struct {
	kind   string
	port   int
	fields []string // name, value, name, value ...
}

func evidence(answers ...said) []fingerprint.Evidence {
	var out []fingerprint.Evidence
	for _, a := range answers {
		for i := 0; i+1 < len(a.fields); i += 2 {
			out = append(out, fingerprint.Evidence{
				Source: a.kind, Port: a.port, Field: a.fields[i], Value: a.fields[i+1],
				Solicited: slices.Contains(probes, a.kind),
			})
		}
	}
	return out
}

func on(kind string, port int, fields ...string) said { return said{kind, port, fields} }
func mac(address string) said                         { return on("arp", 0, "mac", address) }

// Addresses of blocks as IEEE registers them; the tails are invented.
const (
	hikvisionMAC = "44:19:b6:00:00:01"
	dahuaMAC     = "3c:ef:8c:00:00:01"
	huaweiMAC    = "00:e0:fc:00:00:01"
	zteMAC       = "00:15:eb:00:00:01"
	axisMAC      = "ac:cc:8e:00:00:01"
	honeywellMAC = "00:40:84:00:00:01"
	lorexMAC     = "00:1f:54:00:00:01"
	keanMAC      = "d0:3b:f4:00:00:01"
	amcrestMAC   = "9c:8e:cd:00:00:01"
)

var (
	onvifCamera = on("wsd", 3702, "type", "NetworkVideoTransmitter", "scope.type", "video_encoder")
	hikSADP     = on("sadp", 37020, "types", "inquiry", "model", "DS-2CD2085G1-I", "serial", "DS-2CD2085G1-I20200101AAWRE00000001")
	hikWeb      = on("http", 80, "server", "App-webs/")
	dahuaDHIP   = on("dhip", 37810, "method", "client.notifyDevInfo", "model", "IPC-HDW1431T1-S4", "class", "IPC", "vendor", "Private", "serial", "6C01E93PAG00001")
	dahuaRealm  = on("rtsp", 554, "status", "401", "realm", "Login to 6C01E93PAG00001")
)

// TestPitfalls is every known way in which evidence lies, one named case each,
// with the verdict that each policy must reach. The letters are the sections of
// the research's pitfalls, P its protocols' section 12. What a verdict does not
// show has tests elsewhere: B7 in TestOneMACWithManyAddressesIsNoIdentity, P11 in
// TestARecorderAndTheCamerasThatItAnswersForAreDevicesOfTheirOwn and C7 in
// TestMissingNeedsCoverage (internal/inventory), C6 in
// TestAScanOfARoutedNetworkWhereNobodyAnswersIsBlind (internal/agent), P12 in
// TestSearchIsExact (discovery/dhip), F below.
func TestPitfalls(t *testing.T) {
	rules := shippedRules(t)
	for _, c := range []struct {
		name    string
		ev      []fingerprint.Evidence
		policy  string // ca-hikvision-2025 unless named
		verdict string
		maker   string // "-": any
		class   fingerprint.Class
	}{
		// A. The list of addresses.
		{name: "A2: a 28-bit block of the group is found", ev: evidence(mac("b0:b3:53:60:00:01"), onvifCamera), verdict: policy.SuspectedV},
		{name: "A2: another firm in a divided block is not accused", ev: evidence(mac("34:46:63:00:00:01"), onvifCamera), verdict: policy.Unknown, maker: "-"},
		{name: "A3: Shanghai Dahua Scale Factory is not Dahua", ev: evidence(mac("40:2c:76:10:00:01"), onvifCamera), policy: "us-ndaa-889", verdict: policy.Unknown},
		{name: "A3: a name with zte in it is not ZTE", ev: evidence(on("onvif", 80, "manufacturer", "Aztech", "model", "X1")), policy: "us-ndaa-889", verdict: policy.Unknown, maker: "-"},
		{name: "A3: a firm with hik in its name is not Hikvision", ev: evidence(mac("20:5a:8f:00:00:01"), onvifCamera), verdict: policy.Unknown, maker: "-"},
		{name: "A3: FIRST PACIFIC NETWORKS is nobody's", ev: evidence(mac("00:60:91:00:00:01"), onvifCamera), policy: "us-ndaa-889", verdict: policy.Unknown, maker: "-"},
		{name: "A3: EZVIZ is found, though its registrant does not say Hikvision", ev: evidence(mac("0c:a6:4c:00:00:01"), onvifCamera), verdict: policy.SuspectedV, maker: "-"},
		{name: "A3: Imou is found, though its registrant does not say Dahua", ev: evidence(mac("00:d9:8b:00:00:01"), onvifCamera), policy: "us-ndaa-889", verdict: policy.SuspectedV, maker: "-"},
		{name: "A3: Pyronix is found", ev: evidence(mac("00:19:eb:00:00:01"), onvifCamera), verdict: policy.SuspectedV, maker: "-"},
		{name: "A1: an address that the list does not know clears nobody", ev: evidence(mac("fc:fc:fc:00:00:01"), onvifCamera), verdict: policy.Unknown},
		{name: "A5: a block whose holder is private names nobody", ev: evidence(mac("00:01:01:00:00:01"), onvifCamera), verdict: policy.Unknown},
		{name: "A5: nor does a block of the old small ones", ev: evidence(mac("00:50:c2:00:00:01"), onvifCamera), verdict: policy.Unknown},
		{name: "A4: invented public prefixes accuse nobody", ev: evidence(mac("00:1b:63:00:00:01")), verdict: policy.Unclassified, maker: "-"},

		// B. The prefix is right, the conclusion wrong.
		{name: "B1: a Huawei address alone says nothing of cameras", ev: evidence(mac(huaweiMAC)), policy: "us-ndaa-889", verdict: policy.Unclassified},
		{name: "B1: a ZTE address alone says nothing of cameras", ev: evidence(mac(zteMAC)), policy: "us-ndaa-889", verdict: policy.Unclassified},
		{name: "B1: a Huawei router is out of scope", ev: evidence(mac(huaweiMAC), on("http", 80, "realm", "EchoLife HG520")), policy: "us-ndaa-889", verdict: policy.OutOfScope, maker: "Huawei", class: fingerprint.ClassNetwork},
		{name: "B1: a Huawei address on a camera is a sign", ev: evidence(mac(huaweiMAC), onvifCamera), policy: "us-ndaa-889", verdict: policy.SuspectedV},
		{name: "B2: the Lorex block is older than its owner", ev: evidence(mac(lorexMAC), onvifCamera), policy: "us-ndaa-889", verdict: policy.Unknown, maker: "-"},
		{name: "B2: Honor's blocks are no longer Huawei's", ev: evidence(mac("00:a3:07:00:00:01"), onvifCamera), policy: "us-ndaa-889", verdict: policy.Unknown, maker: "-"},
		{name: "B3: a switch of Hikvision is no camera", ev: evidence(mac(hikvisionMAC), on("sadp", 37020, "types", "inquiry", "model", "DS-3E1318P-EI")), verdict: policy.OutOfScope, class: fingerprint.ClassNetwork, maker: "Hikvision"},
		{name: "B4: the Honeywell label does not accuse", ev: evidence(mac(honeywellMAC), on("onvif", 80, "manufacturer", "Honeywell", "model", "HC35W45R3")), policy: "us-ndaa-889", verdict: policy.Unknown, maker: "-"},
		{name: "B4: nor does it clear", ev: evidence(mac(honeywellMAC), onvifCamera, on("onvif", 80, "manufacturer", "Honeywell", "model", "X")), verdict: policy.Unknown, maker: "-"},
		{name: "B4: Swann on Reolink's firmware is not accused", ev: evidence(on("onvif", 8000, "manufacturer", "Swann", "model", "NHD-818")), verdict: policy.Unknown, maker: "-"},
		{name: "B4: an ABUS model number alone is a hint", ev: evidence(on("onvif", 80, "manufacturer", "ABUS", "model", "IPCA32500")), verdict: policy.Unknown, maker: "-"},
		{name: "B5: a HiSilicon chip is no Huawei camera", ev: evidence(on("rtsp", 554, "server", "Hipcam RealServer/V1.0", "status", "200")), policy: "us-ndaa-889", verdict: policy.Unknown, maker: "-"},
		{name: "B6: an imitator's ISAPI without a name is a hint", ev: evidence(on("isapi", 80, "root", "DeviceInfo", "namespace", "http://www.isapi.org/ver20/XMLSchema", "model", "IPC-D250G")), verdict: policy.Unknown},
		{name: "B6: Hikvision's dialect alone is suspected, not banned", ev: evidence(on("isapi", 80, "root", "DeviceInfo", "namespace", "http://www.hikvision.com/ver20/XMLSchema", "model", "X-1")), verdict: policy.SuspectedV},
		{name: "B6: the Dahua stream address alone is a hint", ev: evidence(on("rtsp", 554, "status", "200", "header.content-base", "rtsp://192.0.2.9/cam/realmonitor?channel=1&subtype=0/")), policy: "us-ndaa-889", verdict: policy.Unknown},
		{name: "B7: a virtual router's address says nothing", ev: evidence(mac("00:00:5e:00:01:0a")), verdict: policy.Unclassified},
		{name: "B8: an ONVIF maker's name alone is suspected", ev: evidence(on("onvif", 80, "manufacturer", "HIKVISION", "model", "X")), verdict: policy.SuspectedV},
		{name: "B9: a typed name accuses nobody", ev: evidence(on("wsd", 3702, "type", "NetworkVideoTransmitter", "scope.name", "HIKVISION")), verdict: policy.Unknown},
		{name: "B9: a host name accuses nobody", ev: evidence(on("dhcp", 0, "hostname", "HIKVISION-CAM")), verdict: policy.Unknown},
		{name: "B9: a page that shows two makers counts for neither", ev: evidence(on("http", 80, "server", "App-webs/", "realm", "Login to 6C01E93PAG00001")), verdict: policy.Unknown},

		// C. The camera is there, the prefix silent.
		{name: "C1: a relabel with a neutral address is still named by its protocol", ev: evidence(mac(keanMAC), hikSADP, hikWeb), verdict: policy.Banned, maker: "Hikvision"},
		{name: "C1: an Amcrest camera is made by Dahua", ev: evidence(mac(amcrestMAC), on("onvif", 80, "manufacturer", "Amcrest", "model", "IP8M-T2599E"), dahuaRealm), policy: "us-ndaa-889", verdict: policy.Banned, maker: "Dahua"},
		{name: "C2: the address of the maker under an innocent label", ev: evidence(mac(hikvisionMAC), on("wsd", 3702, "type", "NetworkVideoTransmitter", "scope.name", "Camera")), verdict: policy.SuspectedV},
		{name: "C2: EZVIZ with a Hikvision address is EZVIZ", ev: evidence(mac(hikvisionMAC), on("sadp", 37020, "types", "inquiry", "model", "CS-C6TC-32WFR", "serial", "CS-C6TC-32WFR0120200101AAWR000000001"), on("https", 443, "server", "App-webs/")), verdict: policy.SuspectedV, maker: "EZVIZ"},
		{name: "C2: EZVIZ under a clause that reaches affiliates", ev: evidence(mac(hikvisionMAC), on("sadp", 37020, "types", "inquiry", "model", "CS-C6TC-32WFR", "serial", "CS-C6TC-32WFR0120200101AAWR000000001"), on("https", 443, "server", "App-webs/")), policy: "us-ndaa-889", verdict: policy.Banned, maker: "EZVIZ"},
		{name: "C3: the address of a module's maker says nothing", ev: evidence(mac("00:15:af:00:00:01"), onvifCamera), verdict: policy.Unknown, maker: "-"},
		{name: "C3: nor does it clear whose module it is", ev: evidence(mac("00:15:af:00:00:01"), hikSADP, hikWeb), verdict: policy.Banned, maker: "Hikvision"},
		{name: "C8: with ONVIF and discovery off, address and web server are enough", ev: evidence(mac(hikvisionMAC), on("https", 443, "server", "App-webs/")), verdict: policy.Banned, maker: "Hikvision"},
		{name: "C4: a locally administered address says nothing", ev: evidence(mac("46:19:b6:00:00:01"), onvifCamera), verdict: policy.Unknown},
		{name: "C5: a recorder tells how many cameras are behind it", ev: evidence(on("sadp", 37020, "types", "inquiry", "model", "DS-7616NI-K2", "channels.analog", "0", "channels.digital", "16"), hikWeb), verdict: policy.Banned, maker: "Hikvision", class: fingerprint.ClassRecorder},
		{name: "C: no sign at all is not clear", ev: evidence(onvifCamera), verdict: policy.Unknown},

		// D. Weight.
		{name: "D: an address alone is suspected", ev: evidence(mac(hikvisionMAC)), verdict: policy.SuspectedV},
		{name: "D: address and address are one sign", ev: evidence(mac(hikvisionMAC), on("snmp", 0, "mac", "44:19:b6:00:00:02"), on("wsd", 3702, "mac", hikvisionMAC)), verdict: policy.SuspectedV},
		{name: "D: a favicon accuses nobody", ev: evidence(on("favicon", 80, "mmh3", "999357577")), verdict: policy.Unknown},
		{name: "D: strong and medium, one of them answered to us", ev: evidence(mac(hikvisionMAC), hikWeb), verdict: policy.Banned, maker: "Hikvision"},
		{name: "D: what multicast alone says can be forged", ev: evidence(mac(hikvisionMAC), hikSADP), verdict: policy.SuspectedV, maker: "Hikvision"},
		{name: "D: strong alone is suspected and named", ev: evidence(hikWeb), verdict: policy.SuspectedV, maker: "Hikvision"},

		// E. Verdicts, one for each instrument.
		{name: "E: Dahua under Canada's order is clear", ev: evidence(mac(dahuaMAC), dahuaDHIP, dahuaRealm), verdict: policy.Clear, maker: "Dahua"},
		{name: "E: Dahua under 889 is banned", ev: evidence(mac(dahuaMAC), dahuaDHIP, dahuaRealm), policy: "us-ndaa-889", verdict: policy.Banned, maker: "Dahua"},
		{name: "E: Axis with two signs is clear", ev: evidence(mac(axisMAC), on("tls", 443, "subject", "CN=axis-accc8e000001,O=Axis Communications AB", "subject.cn", "axis-accc8e000001", "subject.o", "Axis Communications AB"), onvifCamera), verdict: policy.Clear, maker: "Axis"},
		{name: "E: a router that forwards a camera's page", ev: evidence(on("http", 80, "title", "RouterOS router configuration page"), on("http", 8000, "server", "App-webs/")), verdict: policy.SuspectedV, maker: "Hikvision"},
		{name: "E: a router that says who it is, and forwards a camera's page", ev: evidence(on("http", 80, "server", "Mikrotik HttpProxy"), on("http", 8000, "server", "App-webs/")), verdict: policy.SuspectedV},
		{name: "E: two makers with medium signs contradict", ev: evidence(mac(axisMAC), on("onvif", 80, "manufacturer", "HIKVISION", "model", "X")), verdict: policy.Unknown},
		{name: "E: a listed maker's strong sign stands against another's", ev: evidence(mac(axisMAC), hikWeb), verdict: policy.SuspectedV, maker: "Hikvision"},

		// Protocols, section 12.
		{name: "P1: an access terminal is no camera, yet in scope", ev: evidence(on("dhip", 37810, "method", "client.notifyDevInfo", "model", "ASI7213X", "class", "ASI"), dahuaRealm, mac(dahuaMAC)), policy: "us-ndaa-889", verdict: policy.Banned, maker: "Dahua", class: fingerprint.ClassAccessControl},
		{name: "P2: _axis-video is offered by DoorBird too", ev: evidence(on("mdns", 5353, "service", "_axis-video._tcp")), verdict: policy.Unknown, maker: "-"},
		{name: "P3: a Beward DS07P is not Hikvision's", ev: evidence(on("rtsp", 554, "status", "401", "realm", "DS07P-LP SIP Door Station - 186882000001")), verdict: policy.Unknown, maker: "-"},
		{name: "P4: shared libraries name nobody", ev: evidence(on("http", 80, "server", "Webs"), on("rtsp", 554, "status", "200", "server", "GStreamer RTSP server", "realm", "LIVE555 Streaming Media")), verdict: policy.Unknown},
		{name: "P5: the copied hikwsd dialect accuses nobody", ev: evidence(on("onvif", 80, "namespace", "http://www.onvifext.com/onvif/ext/ver10/wsdl")), verdict: policy.Unknown},
		{name: "P6: a neutral Dahua is Dahua", ev: evidence(dahuaDHIP, dahuaRealm), policy: "us-ndaa-889", verdict: policy.Banned, maker: "Dahua"},
		{name: "P7: XMeye names no label", ev: evidence(on("xmeye", 34569, "mac", "00:12:31:00:00:01", "devicetype", "1")), verdict: policy.Unknown, maker: "-"},
		{name: "P8: a marker that imitators copy accuses nobody", ev: evidence(on("wsd", 3702, "type", "NetworkVideoTransmitter", "scope.extension", "unique_identifier", "scope.hardware", "IPC-Xcam")), policy: "us-ndaa-889", verdict: policy.Unknown},
		{name: "P9: Tapo's placeholder is no model", ev: evidence(on("wsd", 3702, "type", "NetworkVideoTransmitter", "scope.name", "TP-IPC", "scope.hardware", "MODEL")), verdict: policy.Unknown, maker: "-"},
		{name: "P10: HiLook speaks SADP", ev: evidence(on("sadp", 37020, "types", "inquiry", "model", "IPC-B140H-M"), hikWeb), verdict: policy.Banned, maker: "Hikvision"},
		{name: "P11: a relay that names two models counts for none", ev: evidence(on("wsd", 3702, "scope.hardware", "DS-2CD2085G1-I", "scope.hardware", "DS-2CD2085G1-Z")), verdict: policy.Unknown},
		{name: "P: Login to the website is not Dahua", ev: evidence(on("http", 80, "realm", "Login to the website")), policy: "us-ndaa-889", verdict: policy.Unclassified},
		{name: "P: a reused address mixes two devices", ev: evidence(dahuaDHIP, on("tls", 443, "subject.cn", "axis-accc8e000001", "subject.o", "Axis Communications AB", "subject", "CN=axis-accc8e000001,O=Axis Communications AB"), mac(axisMAC)), policy: "us-ndaa-889", verdict: policy.SuspectedV, maker: "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := c.policy
			if name == "" {
				name = "ca-hikvision-2025"
			}
			ps, err := policy.Load([]string{name}, nil)
			if err != nil {
				t.Fatal(err)
			}
			id := rules.Identify(c.ev)
			v := policy.Judge(ps[0], id, "", day("2025-08-01"), day("2026-11-22"))
			if v.Verdict != c.verdict {
				t.Errorf("verdict %s, must be %s\n%+v", v.Verdict, c.verdict, id)
			}
			if c.maker != "-" && id.Manufacturer != c.maker {
				t.Errorf("maker %q, must be %q", id.Manufacturer, c.maker)
			}
			if c.class != "" && id.Class != c.class {
				t.Errorf("class %s, must be %s", id.Class, c.class)
			}
		})
	}
}

// TestJudgementPage judges each row of docs/judgement.md's worked examples, in
// their order, and holds the page's two verdicts against what comes out.
func TestJudgementPage(t *testing.T) {
	ezviz := on("sadp", 37020, "types", "inquiry", "model", "CS-C6TC-32WFR", "serial", "CS-C6TC-32WFR0120200101AAWR000000001")
	examples := [][]fingerprint.Evidence{
		evidence(mac(hikvisionMAC)),
		evidence(mac(hikvisionMAC), hikSADP),
		evidence(mac(hikvisionMAC), hikSADP, hikWeb),
		evidence(mac(keanMAC), on("sadp", 37020, "types", "inquiry", "model", "LTN8716-P16"), hikWeb),
		evidence(mac(hikvisionMAC), ezviz, hikWeb),
		evidence(dahuaDHIP, dahuaRealm),
		evidence(mac(axisMAC), hikWeb),
		evidence(mac(axisMAC), on("onvif", 80, "manufacturer", "HIKVISION", "model", "X")),
		evidence(mac(honeywellMAC), on("onvif", 80, "manufacturer", "Honeywell", "model", "HC35W45R3")),
		evidence(mac(huaweiMAC)),
		evidence(mac(huaweiMAC), on("http", 80, "realm", "EchoLife HG520")),
		evidence(onvifCamera),
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "judgement.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n| seen | adds up to | ca-hikvision-2025 | us-ndaa-889 |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) != len(examples) {
		t.Fatalf("%d rows on the page, %d examples here", len(rows), len(examples))
	}
	ps, err := policy.Load([]string{"ca-hikvision-2025", "us-ndaa-889"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := shippedRules(t)
	for i, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		id := rules.Identify(examples[i])
		for n, p := range ps {
			v := policy.Judge(p, id, "", time.Time{}, day("2026-11-22"))
			got := []string{v.Verdict, v.Basis, v.Measure}
			for at, word := range strings.Split(cells[2+n], ", ") {
				if word == "with a note" {
					word, got[at] = "true", strconv.FormatBool(strings.Contains(v.Text, id.Manufacturer) && len(v.Text) > 80)
				}
				if got[at] != word {
					t.Errorf("%s: %s: the page says %q, it is %q", cells[0], p.Name, cells[2+n], got)
				}
			}
		}
	}
}

func day(text string) time.Time {
	at, _ := time.Parse(time.DateOnly, text)
	return at
}

func TestRecorderTellsItsChannels(t *testing.T) {
	id := shippedRules(t).Identify(evidence(on("sadp", 37020, "types", "inquiry", "model", "DS-7208HQHI-K2", "channels.analog", "8", "channels.digital", "2")))
	if id.Class != fingerprint.ClassRecorder || id.Channels != 10 {
		t.Errorf("class %s with %d channels", id.Class, id.Channels)
	}
	nic := func(mac string) []fingerprint.Evidence {
		return evidence(on("sadp", 37020, "types", "inquiry", "model", "DS-7616NI-K2", "mac", mac, "channels.analog", "0", "channels.digital", "16"))
	}
	id = shippedRules(t).Identify(append(nic("44:19:b6:00:00:01"), nic("44:19:b6:00:00:02")...))
	if id.Channels != 16 {
		t.Errorf("heard on both of its network ports, it has %d channels", id.Channels)
	}
}

func TestRelabelKeepsItsLabel(t *testing.T) {
	id := shippedRules(t).Identify(evidence(on("sadp", 37020, "types", "inquiry", "model", "LTN8716-P16"), hikWeb, mac(hikvisionMAC)))
	if id.Manufacturer != "Hikvision" || id.Brand != "LTS" || !id.Candidates[0].Relabel {
		t.Errorf("got %s sold as %s, %+v", id.Manufacturer, id.Brand, id.Candidates)
	}
}

func TestContradictionsAreShown(t *testing.T) {
	id := shippedRules(t).Identify(evidence(mac(axisMAC), hikWeb))
	if len(id.Contradictions) == 0 || !strings.Contains(id.Contradictions[0], "Axis") {
		t.Errorf("contradictions: %q", id.Contradictions)
	}
}

// TestWhatWasAskedIsToldFirst: a ban rests on an answer to a question put to
// the host alone, so the reader is shown that one, in whatever order they came.
func TestWhatWasAskedIsToldFirst(t *testing.T) {
	ev := evidence(hikSADP, hikWeb, mac(hikvisionMAC))
	for range 2 {
		if r := shippedRules(t).Identify(ev).Reasons; r[0].Rule != "hikvision/app-webs" || r[1].Source != "sadp" || r[1].Grade != fingerprint.Strong {
			t.Errorf("first %s, then %s (%s)", r[0].Rule, r[1].Rule, r[1].Grade)
		}
		slices.Reverse(ev)
	}
}

func TestReasonsFollowTheWordingRules(t *testing.T) {
	id := shippedRules(t).Identify(evidence(mac(hikvisionMAC), hikSADP, hikWeb))
	for _, r := range id.Reasons {
		if r.Text == "" || strings.Contains(strings.ToLower(r.Text), "chinese") {
			t.Errorf("reason %s: %q", r.Rule, r.Text)
		}
		if r.Group == fingerprint.GroupAddress && !strings.Contains(r.Text, "registered to Hangzhou Hikvision Digital Technology Co.,Ltd.") {
			t.Errorf("address reason: %q", r.Text)
		}
	}
}
