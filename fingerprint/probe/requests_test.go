package probe

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"camcensus/fingerprint"
)

// TestNoRequestWritesLogsInOrResets holds the table of all requests against
// what is never sent (docs/safety.md).
func TestNoRequestWritesLogsInOrResets(t *testing.T) {
	methods := map[string][]string{
		"http": {"GET", "POST"}, "isapi": {"GET"}, "upnp": {"GET"}, "favicon": {"GET"},
		"onvif": {"POST"}, "rtsp": {"OPTIONS", "DESCRIBE"},
	}
	posts := []string{"/axis-cgi/basicdeviceinfo.cgi"}
	operation := regexp.MustCompile(`<s:Body><(Get[A-Za-z]+) xmlns="http://www\.onvif\.org/ver10/device/wsdl"(/>|>.*</Get[A-Za-z]+>)</s:Body>`)
	secret := []string{"GetUsers", "GetSystemLog", "GetSystemBackup", "GetSystemSupportInformation", "GetAccessPolicy", "GetSystemUris"}
	forbidden := regexp.MustCompile(`(?i)reboot|restart|reset|factory|upgrade|restore|delete|setconfig|param\.cgi|sessionlogin|rpc2|api\.cgi|snapshot|videostream|device\.rsp|system\.ini|userlist|authorization|password|setup\b`)
	for _, r := range Requests {
		if !slices.Contains(methods[r.Probe], r.Method) {
			t.Errorf("%s %s: method %s", r.Probe, r.Path, r.Method)
		}
		if forbidden.MatchString(r.Path) || forbidden.MatchString(r.Body) || forbidden.MatchString(r.Type) {
			t.Errorf("%s %s %s: a forbidden word", r.Probe, r.Method, r.Path)
		}
		if len(r.Path) > 64 || len(r.Body) > 400 {
			t.Errorf("%s %s: too long to be harmless", r.Probe, r.Path)
		}
		switch {
		case r.Probe == "onvif":
			m := operation.FindStringSubmatch(r.Body)
			if m == nil || slices.Contains(secret, m[1]) || r.Path != "#"+m[1] {
				t.Errorf("onvif %s: not one Get operation: %s", r.Path, r.Body)
			}
		case r.Method == "POST":
			if !slices.Contains(posts, r.Path) || !strings.Contains(r.Body, `"method":"get`) {
				t.Errorf("POST %s %s", r.Path, r.Body)
			}
		case r.Body != "":
			t.Errorf("%s %s has a body", r.Method, r.Path)
		}
	}
}

func TestEveryQuestionOfNextHasItsRequest(t *testing.T) {
	for _, q := range fingerprint.Questions() {
		if _, ok := requestFor(q); !ok {
			t.Errorf("%s %s has no request", q.Probe, q.Path)
		}
	}
}

func TestNoOtherQuestionIsAsked(t *testing.T) {
	for _, q := range []fingerprint.Question{
		{Probe: "http", Path: ""},
		{Probe: "http", Path: "/reboot.cgi"},
		{Probe: "http", Path: "/?x=1"},
		{Probe: "http", Path: "//evil.example/"},
		{Probe: "https", Path: "/ISAPI/System/reboot"},
		{Probe: "isapi", Path: "/ISAPI/System/factoryReset"},
		{Probe: "onvif", Path: "/onvif/device_service#SystemReboot"},
		{Probe: "onvif", Path: "/onvif/device_service"},
		{Probe: "onvif", Path: "#GetServices"},
		{Probe: "onvif", Path: "/cgi-bin/anything#GetServices"},
		{Probe: "upnp", Path: "/reboot.cgi?now"},
		{Probe: "upnp", Path: "/a/../b.xml"},
		{Probe: "upnp", Path: "/description.xml\r\nX: y.xml"},
		{Probe: "upnp", Path: "LOCATION"},
		{Probe: "favicon", Path: "/"},
		{Probe: "rtsp", Path: "/live"},
		{Probe: "telnet", Path: "/"},
	} {
		if r, ok := requestFor(q); ok {
			if _, known := kinds[q.Probe]; known {
				t.Errorf("%s %q would be sent as %s %q", q.Probe, q.Path, r.Method, r.Path)
			}
		}
	}
	p := New(Options{})
	if a := p.Ask(t.Context(), Target{}, fingerprint.Question{Probe: "http", Port: 80, Path: "/reboot"}); a.Failure != fingerprint.FailedScope || a.Connections != 0 {
		t.Errorf("an unknown question came to %+v", a)
	}
}

func TestDescriptionsThatLookLikeDescriptionsAreFetched(t *testing.T) {
	for _, path := range []string{"/rootdesc1.xml", "/upnp_device_desc.xml", "/ssdp/device-desc.xml", "/DeviceDescription.XML"} {
		if _, ok := requestFor(fingerprint.Question{Probe: "upnp", Path: path}); !ok {
			t.Errorf("%s is refused", path)
		}
	}
}
