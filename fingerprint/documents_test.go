package fingerprint_test

import (
	"path/filepath"
	"testing"

	"camcensus/discovery"
	"camcensus/internal/policy"
)

// TestADocumentSaysTheSameInAWebAnswer: a document of another kind that was
// recorded as a plain web answer, and a document that was recorded with the HTTP
// head before it, lead to the identity that they lead to as they should be
// recorded.
func TestADocumentSaysTheSameInAWebAnswer(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n"
	cases := append(corpus(t), readCases(t, filepath.Join("testdata", "judging.jsonl"))...)
	cases = append(cases, readCases(t, filepath.Join("testdata", "innocents.jsonl"))...)
	// A description without any of UPnP's or ONVIF's marks, as its publisher cut it
	// down: in a web answer it could be anybody's list.
	unmarked := map[string]bool{"i142-sony-whole-ssdp": true, "j631-hik-onvif-2087-root": true}
	documents := 0
	for _, c := range cases {
		if unmarked[c.Case] {
			continue
		}
		web, headed := make([]discovery.Record, 0, len(c.Records)), make([]discovery.Record, 0, len(c.Records))
		for _, r := range c.Records {
			h := r
			switch r.Kind {
			case "isapi", "onvif", "upnp":
				if len(r.Base64) > 0 {
					break
				}
				documents++
				h.Raw = head + r.Raw
				r.Kind, r.Raw = "http", head+r.Raw
			}
			web, headed = append(web, r), append(headed, h)
		}
		want, accused := rules.Identify(evidenceOf(c.Records)), flagged(ps, rules.Identify(evidenceOf(c.Records)))
		for shape, records := range map[string][]discovery.Record{"a web answer": web, "with its head": headed} {
			id := rules.Identify(evidenceOf(records))
			got := flagged(ps, id)
			if id.Manufacturer != want.Manufacturer || id.Brand != want.Brand || id.Model != want.Model || id.Firmware != want.Firmware ||
				id.Serial != want.Serial || id.Class != want.Class || got != accused {
				t.Errorf("%s as %s: %q %q %q %q %q %s accused %t, else %q %q %q %q %q %s %t", c.Case, shape,
					id.Manufacturer, id.Brand, id.Model, id.Firmware, id.Serial, id.Class, got,
					want.Manufacturer, want.Brand, want.Model, want.Firmware, want.Serial, want.Class, accused)
			}
		}
	}
	if documents < 50 {
		t.Errorf("only %d documents were tried", documents)
	}
}

// TestVendorsAddressesAskNobodyIn: what a listed maker's programming interfaces
// say in a web answer counts, whatever the label; what another's server says at
// the same address accuses nobody.
func TestVendorsAddressesAskNobodyIn(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	const (
		text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
		box  = "/cgi-bin/magicBox.cgi?action="
		info = "/ISAPI/System/deviceInfo"
	)
	for _, a := range []shaped{
		{"a model of Dahua's", "http", box + "getDeviceType", text + "type=IPC-HDW4433C-A\r\n", "Dahua"},
		{"a model of a relabel", "http", box + "getSystemInfo", text + "deviceType=IP8M-2496EW\r\nserialNumber=AMC0123456789012\r\n", "Dahua"},
		{"a class", "https", box + "getDeviceClass", text + "class=VTO\r\n", policy.SuspectedV},
		{"a name alone", "http", "http://192.0.2.9" + box + "getMachineName", text + "name=Front door\r\n", ""},
		{"settings", "http", "/cgi-bin/configManager.cgi?action=getConfig&name=NTP", text + "table.NTP.Address=pool.ntp.org\r\ntable.NTP.Enable=true\r\n", policy.SuspectedV},
		{"a challenge", "http", "/RPC2_Login", text + `{"error":{"code":268632079},"params":{"encryption":"Default","random":"123456","realm":"Login to 4C045ADPAG60CD1"},"result":false,"session":1}`, "Dahua"},
		{"a challenge of an older kind, no path", "http", "", text + `{ "error" : { "code" : 401 }, "params" : { "encryption" : "Default", "random" : "1234567", "realm" : "Login to ND011811000000" }, "session" : 1 }`, policy.SuspectedV},
		{"a challenge by the private port", "dhip", "", `{"error":{"code":268632079},"params":{"encryption":"Default","random":"1","realm":"Login to 4C045ADPAG60CD1"}}`, "Dahua"},
		{"a session", "http", "/RPC2", text + `{"error":{"code":287637505,"message":"Invalid session in request data!"},"result":false}`, policy.SuspectedV},

		{"not found at magicBox", "http", box + "getDeviceType", "HTTP/1.1 404 Not Found\r\nServer: nginx\r\n\r\n<html><head><title>404 Not Found</title></head></html>", ""},
		{"a log-in at magicBox", "http", box + "getDeviceType", text + "<form action=login>type=IPC</form>", ""},
		{"lines after a page's at magicBox", "http", box + "getDeviceType", text + "status=ok\r\ntype=IPC\r\n", ""},
		{"an error in magicBox' form", "http", box + "getVendor", "HTTP/1.1 401 Unauthorized\r\n\r\nname=nobody\r\n", ""},
		{"the same lines elsewhere", "http", "/status", text + "type=IP8M-2496EW\r\n", ""},
		{"settings of a shop", "http", "/", text + "table.rows=12\r\n", ""},
		{"another's RPC2", "http", "/RPC2", text + `{"jsonrpc":"2.0","result":{"type":"IPC"}}`, ""},
		{"an XML-RPC", "http", "/RPC2", text + `<?xml version="1.0"?><methodResponse><params><param><value>sn</value></param></params></methodResponse>`, ""},

		{"ISAPI under another's label", "http", info, text + fill(isapiInf, "", "DS-7608NI-I2", ""), "Hikvision"},
		{"PSIA, its older name", "http", "/PSIA/System/deviceInfo", text + `<DeviceInfo version="1.0" xmlns="urn:psialliance-org"><model>DS-2CD2032-I</model></DeviceInfo>`, "Hikvision"},
		{"ISAPI as JSON", "http", info, text + `{"DeviceInfo":{"deviceName":"Hall","model":"DS-2CD2085G1-I","serialNumber":"x"}}`, "Hikvision"},
		{"not set up", "http", "/SDK/activateStatus", text + `<ActivateStatus version="1.0" xmlns="http://www.isapi.org/ver10/XMLSchema"><Activated>false</Activated></ActivateStatus>`, policy.SuspectedV},
		{"how to log in", "http", "/ISAPI/Security/sessionLogin/capabilities?username=admin", text + `<SessionLoginCap version="2.0" xmlns="http://www.std-cgi.com/ver20/XMLSchema"><sessionID>x</sessionID></SessionLoginCap>`, policy.SuspectedV},
		{"not found at ISAPI", "http", info, "HTTP/1.1 404 Not Found\r\nServer: nginx\r\n\r\n<html><head><title>404 Not Found</title></head></html>", ""},
		{"a router's log-in at ISAPI", "http", info, "HTTP/1.1 401 Unauthorized\r\nServer: micro_httpd\r\nWWW-Authenticate: Basic realm=\"Broadband Router\"\r\n\r\n<HTML><TITLE>401</TITLE></HTML>", ""},
		{"an application's error at ISAPI", "http", info, "HTTP/1.1 404 \r\n\r\n{\"status\":404,\"error\":\"Not Found\",\"path\":\"/ISAPI/System/deviceInfo\"}", ""},
		{"a store's error at ISAPI", "http", "/SDK/activateStatus", "HTTP/1.1 403 Forbidden\r\n\r\n<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", ""},
		{"an imitator at ISAPI", "http", info, text + fill(isapiInf, "ACME", "X1", ""), ""},
		{"XHTML at ISAPI", "http", info, text + `<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><model>DS-2CD2085G1-I</model></head></html>`, ""},
		{"another's activation elsewhere", "http", "/licence", text + `<ActivateStatus><Activated>true</Activated></ActivateStatus>`, ""},
	} {
		a.check(t, rules, ps, "as it came")
	}
}
