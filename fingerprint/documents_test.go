package fingerprint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"camcensus/discovery"
	"camcensus/fingerprint"
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
		{"a system by RPC2", "http", "/RPC2", text + `{"result":true,"params":{"deviceType":"IPC-HFW2441T","processor":"X","serialNumber":"4L08B9DPAG00037","updateSerial":"IPC-HX2X2X2X-X2-2.620"},"id":2}`, "Dahua"},
		{"a session by RPC2", "http", "/RPC2_Login", text + `{"id":1,"result":true,"session":"5f2a","params":{"keepAliveInterval":60}}`, policy.SuspectedV},
		{"a label at magicBox", "http", box + "getVendor", text + "vendor=AC\r\n", policy.SuspectedV},

		{"another maker at magicBox", "http", box + "getVendor", text + "vendor=Axis\r\n", ""},
		{"an emulator at magicBox", "http", box + "getVendor", text + "vendor=Dahua simulator\r\n", ""},
		{"another maker's system", "http", box + "getSystemInfo", text + "deviceType=AXIS P3245\r\nvendor=Axis\r\n", ""},
		{"another maker's type", "http", box + "getDeviceType", text + "type=P3245-V\r\n", ""},
		{"one key of a system's, again and again", "http", box + "getSystemInfo", text + "processor=arm\r\nprocessor=x86\r\nprocessor=mips\r\n", ""},
		{"one key of a system's, again and again, by RPC2", "http", "/RPC2", text + `{"id":1,"result":true,"params":{"processor":"arm","Processor":"x86","PROCESSOR":"mips"}}`, ""},
		{"an error as type", "http", box + "getDeviceType", text + "type=error", ""},
		{"an error and words", "http", box + "getDeviceType", text + "type=error&message=not found", ""},
		{"no name", "http", "/cgi-bin/magicBox.cgi", text + "name=\r\n", ""},
		{"a form", "http", box + "getDeviceType", text + "name=esp32cam&version=3", ""},
		{"a version of a NAS", "http", box + "getSoftwareVersion", text + "version=2.1\nbuild=77\nmodel=AcmeNAS\n", ""},
		{"a type and a name", "http", box + "getDeviceType", text + "type=nas\nname=box\n", ""},
		{"another's number", "http", box + "getSerialNo", text + "sn=123\n", ""},
		{"a class that anybody has", "http", box + "getDeviceClass", text + "class=NVR\r\n", ""},
		{"a class and another maker", "http", box + "getDeviceClass", text + "class=VTO\r\nvendor=Vivotek\r\n", ""},
		{"what was not asked for", "http", box + "getVendor", text + "type=front\r\nname=x\r\n", ""},
		{"another's settings", "http", "/cgi-bin/configManager.cgi?action=getConfig&name=General", text + "table.rows=12\r\n", ""},
		{"settings of a server", "http", "/cgi-bin/configManager.cgi?action=getConfig&name=Web", text + "table.Web.rows=3\r\n", ""},
		{"a version in parts", "http", box + "getSoftwareVersion", text + "version=1.200.1234.5.R\r\n", ""},
		{"a version in Dahua's form", "http", box + "getSoftwareVersion", text + "version=2.800.0000000.16.R,build:2020-09-18\r\n", policy.SuspectedV},
		{"a version in Dahua's form, bare", "http", box + "getSoftwareVersion", text + "version=2.622.00LR000.10.R\r\n", policy.SuspectedV},
		{"an error of RPC2", "http", "/RPC2", text + `{"result":false,"error":"no session","session":null}`, ""},
		{"Deluge", "http", "/RPC2", text + `{"id":1,"result":{"session":{"upload_rate":1}},"error":null}`, ""},
		{"rTorrent", "http", "/RPC2", text + `{"jsonrpc":"2.0","id":1,"result":{"session":"/home/rt/.session","name":"rtorrent"}}`, ""},
		{"JSON-RPC with a session", "http", "/RPC2", text + `{"jsonrpc":"2.0","id":1,"session":"x","result":true}`, ""},
		{"a list by RPC2", "http", "/RPC2", text + `{"id":1,"session":"5","result":{"devices":[{"class":"IPC","deviceType":"IPC-HDW4433C-A","vendor":"Axis"}]}}`, ""},
		{"a page about RPC2", "http", "/rpc2-docs", text + `{"id":1,"session":1,"result":true}`, ""},
		{"a log-in area deep in another's JSON", "http", "/api/camera/5", text + `{"site":{"camera":{"realm":"Login to ND011811000000"}}}`, ""},
		{"a log-in area in another's JSON", "http", "/api/camera/5", text + `{"camera":{"realm":"Login to ND011811000000","ip":"192.0.2.5"}}`, ""},
		{"a log-in area in a list", "http", "/api/cameras", text + `[{"realm":"Login to ND011811000000"}]`, ""},

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

// TestListsAndOthersDocumentsAccuseNobody: an inventory, a management system's
// SOAP, a recorder's list of channels and a refusal name other devices than the
// one that answers; a printer's and a modem's SOAP are no camera's.
func TestListsAndOthersDocumentsAccuseNobody(t *testing.T) {
	rules, ps := shippedRules(t), judged(t)
	const (
		text  = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n"
		soap  = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"`
		named = `<Manufacturer>HIKVISION</Manufacturer><Model>DS-2CD2143G2-I</Model><FirmwareVersion>V5.7.3 build 220112</FirmwareVersion>`
		info  = `<tds:GetDeviceInformationResponse>` + named + `</tds:GetDeviceInformationResponse>`
		json  = `{"manufacturer":"Hikvision","model":"DS-2CD2143G2-I"}`
		isapi = `<model>DS-2CD2143G2-I</model><manufacturer>Hikvision</manufacturer>`
		upnp  = `<manufacturer>HIKVISION</manufacturer><modelName>DS-2CD2143G2-I</modelName>`
	)
	onvif := soap + ` xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Body>`
	for _, a := range []shaped{
		{"SOAP of nobody's", "http", "/", "<Envelope><Body>" + named + "</Body></Envelope>", ""},
		{"SOAP of nobody's under ONVIF's address", "http", "/onvif/x", "<Envelope><Body>" + named + "</Body></Envelope>", ""},
		{"a management system's list", "http", "/services", onvif + "<GetCamerasResponse><Camera>" + named + "</Camera></GetCamerasResponse></s:Body></s:Envelope>", ""},
		{"several devices", "http", "/onvif/device_service", onvif + "<tds:All>" + info + info + "</tds:All></s:Body></s:Envelope>", ""},
		{"several devices in one answer", "http", "/onvif/device_service", onvif + info + info + "</s:Body></s:Envelope>", ""},
		{"one device in a list", "http", "/soap", onvif + "<tds:Batch>" + info + "</tds:Batch></s:Body></s:Envelope>", ""},
		{"an array of ONVIF's", "http", "/odm/devices.xml", `<ArrayOfDevice xmlns="http://www.onvif.org/ver10/schema"><Device>` + named + "</Device></ArrayOfDevice>", ""},
		{"JSON under ONVIF's address", "http", "/onvif/devices", `{"devices":[` + json + `]}`, ""},
		{"a recorder's channels", "http", "/ISAPI/ContentMgmt/InputProxy/channels", "<InputProxyChannelList><InputProxyChannel><sourceInputPortDescriptor>" + isapi + "</sourceInputPortDescriptor></InputProxyChannel></InputProxyChannelList>", ""},
		{"several device descriptions", "http", "/ISAPI/System/deviceInfo", "<DeviceInfoList><DeviceInfo>" + isapi + "</DeviceInfo></DeviceInfoList>", ""},
		{"a page's part", "http", "/ISAPI/System/deviceInfo", "<div><h1>Error</h1>" + isapi + "</div>", ""},
		{"a list as JSON", "http", "/ISAPI/proxy/list", `{"cameras":[` + json + `]}`, ""},
		{"a list alone as JSON", "http", "/ISAPI/proxy/list", `[` + json + `]`, ""},
		{"a list of descriptions as JSON", "http", "/ISAPI/proxy/list", `{"list":[{"DeviceInfo":` + json + `}]}`, ""},
		{"an inventory", "http", "/devices.xml", "<root><devices><device><deviceType>x</deviceType>" + upnp + "</device></devices></root>", ""},
		{"an inventory's item", "http", "/device.xml", "<device><deviceType>camera</deviceType>" + upnp + "</device>", ""},
		{"an inventory right under its root", "http", "/export.xml", "<root><device><deviceType>camera</deviceType>" + upnp + "</device></root>", ""},
		{"an inventory with a marked root", "http", "/export.xml", `<root xmlns="urn:schemas-upnp-org:device-1-0"><devices><device>` + upnp + "</device></devices></root>", ""},
	} {
		web := a
		web.raw = text + a.raw
		web.check(t, rules, ps, "as a web answer")
		if kind, ok := map[bool]string{strings.Contains(a.path, "ISAPI"): "isapi", strings.Contains(a.name, "marked root"): "upnp"}[true]; ok {
			a.kind = kind
			a.check(t, rules, ps, "as "+kind)
		}
	}
	for _, status := range []string{"401 Unauthorized", "404 Not Found", "500 Internal Server Error"} {
		head := "HTTP/1.1 " + status + "\r\nContent-Type: text/xml\r\n\r\n"
		for _, a := range []shaped{
			{"ISAPI", "isapi", "/ISAPI/System/deviceInfo", "<DeviceInfo>" + isapi + "</DeviceInfo>", ""},
			{"ONVIF", "onvif", "/onvif/device_service", onvif + info + "</s:Body></s:Envelope>", ""},
			{"UPnP", "upnp", "/desc.xml", `<root xmlns="urn:schemas-upnp-org:device-1-0"><device>` + upnp + "</device></root>", ""},
		} {
			a.raw = head + a.raw
			a.check(t, rules, ps, status)
			a.kind = "http"
			a.check(t, rules, ps, status+" as a web answer")
		}
	}
	for name, raw := range map[string]string{
		"a printer": soap + ` xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof"><s:Body><wsx:Metadata><wsdp:ThisModel><wsdp:Manufacturer>Brother</wsdp:Manufacturer><wsdp:ModelName>HL-L2370DN</wsdp:ModelName></wsdp:ThisModel></wsx:Metadata></s:Body></s:Envelope>`,
		"a modem":   soap + ` xmlns:cwmp="urn:dslforum-org:cwmp-1-0"><s:Body><cwmp:Inform><DeviceId><Manufacturer>ZTE</Manufacturer><OUI>0019C6</OUI><SerialNumber>Z1</SerialNumber></DeviceId></cwmp:Inform></s:Body></s:Envelope>`,
	} {
		id := rules.Identify(evidenceOf([]discovery.Record{{Kind: "http", Path: "/", Port: 80, Raw: text + raw}}))
		if flagged(ps, id) || id.Class != fingerprint.ClassUnknown || len(id.Candidates) > 0 {
			t.Errorf("%s: %s %+v", name, id.Class, id.Candidates)
		}
	}
}
