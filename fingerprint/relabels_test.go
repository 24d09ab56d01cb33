package fingerprint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"camcensus/discovery"
	"camcensus/internal/policy"
)

// labels reads the table of what the listed makers' devices are sold under: the
// labels of one maker each.
func labels(t *testing.T) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "labels.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(raw)) {
		if row := strings.Split(line, "\t"); len(row) == 3 && row[0][0] != '#' {
			out[row[1]] = append(out[row[1]], row[0])
		}
	}
	return out
}

// ownLabels are the labels that the listed makers and their affiliates sell
// under themselves: these name somebody.
var ownLabels = map[string]bool{
	"HiWatch": true, "HiLook": true, "EZVIZ": true, "HIKMICRO": true, "Hikrobot": true, "Hikrobotics": true, "Pyronix": true,
	"Prama": true, "Imou": true, "Lechange": true, "EZ-IP": true, "Pixfra": true,
}

// TestEveryLabelIsSeenThrough: under each label of the table, an honest answer of
// the true maker's firmware names or suspects that maker, and the label alone
// accuses nobody.
func TestEveryLabelIsSeenThrough(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	const head = "HTTP/1.1 200 OK\r\n\r\n"
	honest := map[string]func(label string) []shaped{
		"Hikvision": func(label string) []shaped {
			serial := "XR-80820200101CCWR000000001WCVU"
			return []shaped{
				{"SADP", "sadp", "", fmt.Sprintf("<ProbeMatch><Types>inquiry</Types><DeviceDescription>XR-8</DeviceDescription><OEMInfo>%s</OEMInfo></ProbeMatch>", label), "Hikvision"},
				{"ISAPI, neutral, its serial number", "isapi", "/ISAPI/System/deviceInfo", fmt.Sprintf(`<DeviceInfo xmlns="http://www.std-cgi.com/ver20/XMLSchema"><deviceName>%s</deviceName><model>XR-8</model><serialNumber>%s</serialNumber></DeviceInfo>`, label, serial), policy.SuspectedV},
				{"ISAPI, neutral, its form", "http", "/ISAPI/System/deviceInfo", head + fmt.Sprintf(`<DeviceInfo xmlns="http://www.isapi.org/ver20/XMLSchema"><deviceName>%s</deviceName><model>XC-1</model><firmwareReleasedDate>build 170725</firmwareReleasedDate><telecontrolID>88</telecontrolID></DeviceInfo>`, label), policy.SuspectedV},
				{"ONVIF, its serial number", "onvif", "/onvif/device_service", strings.Replace(fill(soapInfo, label, "XC-1", "V5.5.0 build 170725"), "SerialNumber>1<", "SerialNumber>"+serial+"<", 1), policy.SuspectedV},
				{"its log-in area", "rtsp", "/", "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"IP Camera(C2875)\"\r\n\r\n", policy.SuspectedV},
				{"its web server", "http", "/", "HTTP/1.1 200 OK\r\nServer: App-webs/\r\n\r\n<title>" + label + "</title>", "Hikvision"},
			}
		},
		"Dahua": func(label string) []shaped {
			return []shaped{
				{"DHIP", "dhip", "", fmt.Sprintf(`{"method":"client.notifyDevInfo","params":{"deviceInfo":{"DeviceClass":"IPC","DeviceType":"XC-1","Vendor":%q}}}`, label), "Dahua"},
				{"magicBox", "http", "/cgi-bin/magicBox.cgi?action=getVendor", head + "vendor=" + label + "\r\n", policy.SuspectedV},
				{"ONVIF, its version", "onvif", "/onvif/device_service", fill(soapInfo, label, "XC-1", "2.800.00AC003.0.R, build: 2020-06-03"), policy.SuspectedV},
				{"its log-in area", "http", "/", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"Login to 4K01FD2PAJ00001\"\r\n\r\n", "Dahua"},
				{"its UPnP", "ssdp", "", "HTTP/1.1 200 OK\r\nSERVER: Linux, UPnP/1.0, Private Upnp SDK\r\nUSN: uuid:device_3_0-X1::upnp:rootdevice\r\n\r\n", policy.SuspectedV},
			}
		},
	}
	tried := 0
	for maker, of := range labels(t) {
		for _, label := range of {
			for _, a := range honest[maker](label) {
				id := rules.Identify(evidenceOf([]discovery.Record{{Kind: a.kind, Path: a.path, Port: 80, Raw: a.raw}}))
				tried++
				if !flagged(ps, id) || a.grade == maker && !rightMaker(id.Manufacturer, maker) {
					t.Errorf("%s's %s says %s: named %q, %+v", maker, label, a.name, id.Manufacturer, id.Candidates)
				}
			}
			if ownLabels[label] {
				continue
			}
			for _, a := range []shaped{
				{"ONVIF", "onvif", "/onvif/device_service", fill(soapInfo, label, "XC-1", "1.0"), ""},
				{"an announcement", "wsd", "", fill(soapHere, strings.ReplaceAll(label, " ", "%20"), "XC-1", ""), ""},
				{"ISAPI", "isapi", "/ISAPI/System/deviceInfo", fill(isapiInf, label, "XC-1", ""), ""},
				{"UPnP", "upnp", "/desc.xml", fill(upnpDesc, label, "XC-1", ""), ""},
				{"a page", "http", "/", head + "<title>" + label + "</title>", ""},
				{"a log-in area", "http", "/", "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"" + label + "\"\r\n\r\n", ""},
			} {
				a.name = label + " alone, " + a.name
				a.check(t, rules, ps, "as it came")
				tried++
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d answers were tried", tried)
	}
	t.Logf("%d answers of relabels", tried)
}
