package fingerprint

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// host plays a device for Next: what each question would come to.
type host func(q Question) Asked

// converse asks until Next has no more questions.
func converse(t *testing.T, st State, answer host) []Asked {
	t.Helper()
	st.Now = noon
	for range 40 {
		q, more := Next(st)
		if !more {
			return st.Asked
		}
		a := answer(q)
		a.Question, a.Time = q, st.Now
		if a.Connections == 0 {
			a.Connections = 1
		}
		st.Asked = append(st.Asked, a)
		st.Now = st.Now.Add(time.Second)
	}
	t.Fatalf("it never stops: %s", asked(st.Asked))
	return nil
}

func asked(all []Asked) string {
	var parts []string
	for _, a := range all {
		secure := ""
		if a.Question.TLS {
			secure = "s"
		}
		parts = append(parts, fmt.Sprintf("%s%s:%d%s", a.Question.Probe, secure, a.Question.Port, a.Question.Path))
	}
	return strings.Join(parts, " ")
}

func refused(Question) Asked { return Asked{Failure: FailedRefused} }
func silent(Question) Asked  { return Asked{Failure: FailedTimeout} }

// answers gives a status on some ports and refuses on the others.
func answers(status int, ports ...uint16) host {
	return func(q Question) Asked {
		if !slices.Contains(ports, q.Port) {
			return refused(q)
		}
		a := Asked{Open: true, Answered: true, Status: status, Requests: 1, Took: 50 * time.Millisecond}
		if q.Probe == "tls" {
			a.Status, a.Requests = 0, 0
		}
		if q.Probe == "rtsp" {
			a.Requests = 2
		}
		return a
	}
}

func field(source, name, value string) Evidence {
	return Evidence{Source: source, Field: name, Value: value, Seen: noon}
}

func TestQuestionsFollowTheEvidence(t *testing.T) {
	hikvision := Identity{Class: ClassCamera, Manufacturer: "Hikvision", MaybeCamera: true, Candidates: []Candidate{{Maker: "Hikvision", Standing: Named}}}
	for name, c := range map[string]struct {
		state State
		host  host
		want  string
	}{
		"a host merely sighted, all closed": {State{}, refused, "http:80/ https:443/ rtsp:554/ http:8080/ http:8000/"},
		"a host merely sighted, a web page": {State{}, answers(200, 80), "http:80/ tls:443 rtsp:554/ onvif:80/onvif/device_service#GetDeviceInformation favicon:80/favicon.ico"},
		"a sweep has found the ports":       {State{Ports: []uint16{8080}, Swept: true}, answers(200, 8080), "http:8080/ onvif:8080/onvif/device_service#GetDeviceInformation favicon:8080/favicon.ico"},
		"a private SDK's port is left alone": {State{Ports: []uint16{37777, 34567, 9000}, Swept: true},
			answers(200), ""},
		"SADP names the ports": {
			State{Evidence: []Evidence{field("sadp", "port.http", "81"), field("sadp", "port.rtsp", "1554"), field("sadp", "port.sdk", "8000")}, Identity: hikvision},
			answers(401, 81, 1554), "http:81/ tls:443 rtsp:1554/ onvif:81/onvif/device_service#GetDeviceInformation isapi:81/SDK/activateStatus isapi:81/ISAPI/System/deviceInfo upnp:81/upnpdevicedesc.xml onvif:81/onvif/device_service#GetServices"},
		"WS-Discovery gives the service's own address": {
			State{IP: netip.MustParseAddr("192.0.2.7"), Evidence: []Evidence{field("wsd", "xaddr", "http://192.0.2.7:2020/onvif/services")}},
			answers(200, 2020), "http:2020/ tls:443 rtsp:554/ onvif:2020/onvif/services#GetDeviceInformation onvif:2020/onvif/services#GetServices onvif:2020/onvif/services#GetHostname onvif:2020/onvif/services#GetEndpointReference onvif:2020/onvif/services#GetWsdlUrl"},
		"another host's XAddr leads nowhere": {
			State{IP: netip.MustParseAddr("192.0.2.7"), Swept: true, Evidence: []Evidence{field("wsd", "xaddr", "http://198.51.100.1:2020/onvif/services")}},
			answers(200, 2020), ""},
		"SSDP's description is read first": {
			State{IP: netip.MustParseAddr("192.0.2.7"), Swept: true, Evidence: []Evidence{field("ssdp", "location", "http://192.0.2.7:49152/upnp_device_desc.xml"), field("ssdp", "location", "http://192.0.2.8/x.xml")}},
			answers(200, 49152), "upnp:49152/upnp_device_desc.xml"},
		"mDNS names a service and its port": {
			State{Swept: true, Evidence: []Evidence{field("mdns", "service", "_rtsp._tcp"), field("mdns", "port", "8554"), field("mdns", "service", "_http._tcp"), field("mdns", "port", "88")}},
			refused, "http:88/ rtsp:8554/"},
		"a page inside TLS alone": {State{Ports: []uint16{443}, Swept: true}, answers(200, 443),
			"https:443/ onvifs:443/onvif/device_service#GetDeviceInformation favicons:443/favicon.ico"},
		"TLS on a port taken for plain": {State{Ports: []uint16{9443}, Swept: true},
			func(q Question) Asked {
				if q.Probe == "http" {
					return Asked{Open: true, Answered: true, Failure: FailedTLS, Requests: 1}
				}
				return answers(200, 9443)(q)
			}, "http:9443/ https:9443/ onvifs:9443/onvif/device_service#GetDeviceInformation favicons:9443/favicon.ico"},
		"an Axis banner unlocks Axis's path": {
			State{Swept: true, Ports: []uint16{80}, Evidence: []Evidence{field("http", "realm", "AXIS_00A1B2C3D4E5")}, Identity: Identity{Manufacturer: "Axis"}},
			answers(401, 80), "http:80/ http:80/axis-cgi/basicdeviceinfo.cgi"},
		"a redirect is followed once it is noted": {State{Swept: true, Ports: []uint16{80}, Identity: Identity{Manufacturer: "X"}},
			func(q Question) Asked {
				a := answers(302, 80)(q)
				if q.Path == "/" {
					a.Later = []Question{{Probe: "http", Port: 80, Path: "/index.asp"}}
				}
				return a
			}, "http:80/ http:80/index.asp"},
		"a redirect to HTTPS is followed there": {State{Swept: true, Ports: []uint16{80}, Identity: Identity{Manufacturer: "X"}},
			func(q Question) Asked {
				a := answers(200, 80, 443)(q)
				if q.Port == 80 {
					a.Status, a.Later, a.Hints = 301, []Question{{Probe: "https", Port: 443, Path: "/"}}, []uint16{443}
				}
				return a
			}, "http:80/ https:443/"},
		"ONVIF that is not there is left after one question": {State{Ports: []uint16{80}, Swept: true, Identity: Identity{MaybeCamera: true, Manufacturer: "X"}},
			answers(404, 80), "http:80/ onvif:80/onvif/device_service#GetDeviceInformation"},
		"GetCapabilities where GetServices is unknown": {State{Ports: []uint16{80}, Swept: true, Identity: Identity{MaybeCamera: true, Manufacturer: "X"}},
			answers(400, 80), "http:80/ onvif:80/onvif/device_service#GetDeviceInformation onvif:80/onvif/device_service#GetServices onvif:80/onvif/device_service#GetCapabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := asked(converse(t, c.state, c.host)); got != c.want {
				t.Errorf("asked\n %s\nwant\n %s", got, c.want)
			}
		})
	}
}

func TestEnoughIsEnough(t *testing.T) {
	settled := Identity{Class: ClassCamera, Manufacturer: "Axis"}
	firmware := []Reason{{Source: "http", Group: GroupFirmware, Grade: Strong}}
	native := []Candidate{{Maker: "Dahua", Standing: Established, Groups: map[Group]Grade{GroupNative: Strong, GroupAddress: Medium}}}
	for name, c := range map[string]struct {
		settled  bool
		identity Identity
		asks     bool
	}{
		"nothing known":                          {false, Identity{}, true},
		"settled by address and label alone":     {true, settled, true},
		"settled with an answer of the firmware": {true, Identity{Class: ClassCamera, Reasons: firmware}, false},
		"settled, class open":                    {true, Identity{Class: ClassUnknown, Reasons: firmware}, true},
		"settled by the maker's own protocol":    {true, Identity{Class: ClassCamera, Candidates: native}, false},
		"known and not settled":                  {false, Identity{Class: ClassCamera, Reasons: firmware}, true},
	} {
		if q, asks := Next(State{Settled: c.settled, Identity: c.identity, Now: noon}); asks != c.asks {
			t.Errorf("%s: asks %v (%v)", name, asks, q)
		}
	}
	after := converse(t, State{Settled: true, Identity: settled}, answers(200, 80))
	if asked(after) != "http:80/" {
		t.Errorf("one firmware answer does not end it: %s", asked(after))
	}
}

func TestBehindASettledRouterOthersAreLookedFor(t *testing.T) {
	router := State{Settled: true, Identity: Identity{Class: ClassNetwork, Reasons: []Reason{{Source: "http", Group: GroupFirmware, Grade: Strong}}}}
	swept := router
	swept.Swept, swept.Ports = true, []uint16{80, 8443, 9000}
	other := State{Settled: true, Identity: Identity{Class: ClassCamera, Reasons: router.Identity.Reasons},
		Evidence: []Evidence{field("arp", "mac", "dc:2c:6e:00:00:01"), field("http", "mac", "ac:cc:8e:00:00:01")}}
	same := other
	same.Evidence = []Evidence{field("arp", "mac", "ac:cc:8e:00:00:01"), field("http", "mac", "ac:cc:8e:00:00:01"), field("sadp", "mac", "ac:cc:8e:00:00:02")}
	for name, c := range map[string]struct {
		state State
		want  string
	}{
		"a router":                               {router, "http:8080/ http:8000/ rtsp:554/ http:80/ https:443/"},
		"a router behind a router":               {swept, "http:80/ https:8443/"},
		"a camera's page on a router's MAC":      {other, "http:8080/ http:8000/ rtsp:554/ http:80/ https:443/"},
		"a camera on its own MAC, and its Wi-Fi": {same, ""},
	} {
		if got := asked(converse(t, c.state, answers(200, 80, 8080))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTroubledHostsAreLeftAloneForADay(t *testing.T) {
	page := Asked{Question: Question{Probe: "http", Port: 80, Path: "/"}, Time: noon, Open: true, Answered: true, Status: 200, Connections: 1, Requests: 1}
	for name, trouble := range map[string]Asked{
		"reset":                    {Question: Question{Probe: "rtsp", Port: 554, Path: "/"}, Open: true, Failure: FailedReset},
		"stalled in an answer":     {Question: Question{Probe: "http", Port: 8080, Path: "/"}, Open: true, Answered: true, Failure: FailedTimeout},
		"banned: closed once open": {Question: Question{Probe: "favicon", Port: 80, Path: "/favicon.ico"}, Failure: FailedRefused},
		"banned: silent once open": {Question: Question{Probe: "favicon", Port: 80, Path: "/favicon.ico"}, Failure: FailedTimeout},
		"too many requests":        {Question: Question{Probe: "http", Port: 80, Path: "/index.asp"}, Open: true, Answered: true, Status: 429},
	} {
		trouble.Time = noon.Add(time.Second)
		st := State{Asked: []Asked{page, trouble}, Now: noon.Add(23 * time.Hour), Since: noon.Add(time.Hour)}
		if q, asks := Next(st); asks {
			t.Errorf("%s: asks %v the same day", name, q)
		}
		st.Now = noon.Add(25 * time.Hour)
		if _, asks := Next(st); !asks {
			t.Errorf("%s: never asks again", name)
		}
	}
	for name, harmless := range map[string]Asked{
		"refused at once":           {Question: Question{Probe: "http", Port: 8080, Path: "/"}, Failure: FailedRefused},
		"accepted and said nothing": {Question: Question{Probe: "http", Port: 8000, Path: "/"}, Open: true, Failure: FailedTimeout},
	} {
		harmless.Time = noon
		if _, asks := Next(State{Asked: []Asked{page, harmless}, Now: noon.Add(time.Minute)}); !asks {
			t.Errorf("%s: is taken for trouble", name)
		}
	}
}

func TestNoHostIsAskedBeyondItsBudget(t *testing.T) {
	everything := State{
		IP: netip.MustParseAddr("192.0.2.7"), Login: true,
		Ports:    []uint16{80, 81, 82, 88, 443, 554, 8000, 8080, 8081, 8443, 8554, 10554},
		Identity: Identity{MaybeCamera: true, Class: ClassCamera, Candidates: []Candidate{{Maker: "Hikvision"}, {Maker: "Dahua"}, {Maker: "Axis"}, {Maker: "Uniview"}}},
		Evidence: []Evidence{field("ssdp", "location", "http://192.0.2.7:49152/a.xml"), field("ssdp", "location", "http://192.0.2.7:49153/b.xml"), field("wsd", "xaddr", "http://192.0.2.7/onvif/device_service")},
	}
	slow := func(q Question) Asked {
		a := answers(401, append(everything.Ports, 49152, 49153)...)(q)
		a.Took = 3 * time.Second
		return a
	}
	endless := func(q Question) Asked {
		a := answers(302, append(everything.Ports, 49152, 49153)...)(q)
		a.Later = []Question{{Probe: "http", Port: q.Port, Path: "/login" + fmt.Sprint(q.Port)}, {Probe: "http", Port: q.Port + 1, Path: "/"}}
		return a
	}
	for name, h := range map[string]host{
		"all answer": answers(401, append(everything.Ports, 49152, 49153)...), "all refuse": refused, "all are silent": silent,
		"all are slow": slow, "all redirect for ever": endless,
	} {
		all := converse(t, everything, h)
		var http, rtsp, connections int
		var took time.Duration
		for i, a := range all {
			if took >= maxAsking {
				t.Errorf("%s: question %d after %v", name, i, took)
			}
			connections += a.Connections
			took += a.Took
			if a.Question.Probe == "rtsp" {
				rtsp += a.Requests
			} else {
				http += a.Requests
			}
		}
		if http > maxHTTPRequests || rtsp > maxRTSPRequests || connections > maxConnections {
			t.Errorf("%s: %d HTTP, %d RTSP, %d connections: %s", name, http, rtsp, connections, asked(all))
		}
	}
}

func TestLoginIsForIdentifiedCamerasWithCredentials(t *testing.T) {
	st := State{Swept: true, Ports: []uint16{80}, Login: true, Identity: Identity{Class: ClassCamera, Manufacturer: "X"}}
	logins := func(st State) (n int) {
		for _, a := range converse(t, st, answers(401, 80)) {
			if a.Question.Login {
				n++
			}
		}
		return n
	}
	if n := logins(st); n != 1 {
		t.Errorf("%d logins", n)
	}
	st.Identity.Candidates = []Candidate{{Maker: "Hikvision"}}
	isapiOnly := func(q Question) Asked {
		if q.Login && q.Probe == "onvif" {
			return Asked{Failure: FailedScope}
		}
		return answers(401, 80)(q)
	}
	if got := asked(converse(t, st, isapiOnly)); !strings.Contains(got, "isapi:80/ISAPI/System/deviceInfo isapi:80/ISAPI/System/deviceInfo") {
		t.Errorf("an account for ISAPI alone is not used: %s", got)
	}
	for name, change := range map[string]func(*State){
		"no credentials": func(st *State) { st.Login = false },
		"not a camera":   func(st *State) { st.Identity.Class = ClassOther },
		"class unknown":  func(st *State) { st.Identity.Class = ClassUnknown },
	} {
		other := st
		change(&other)
		if n := logins(other); n != 0 {
			t.Errorf("%s: %d logins", name, n)
		}
	}
}

func TestAskedSurvivesStorage(t *testing.T) {
	a := Asked{Question: Question{Probe: "onvif", Port: 80, Path: "/onvif/device_service#GetServices", TLS: true, Login: true, Why: "w"}, Time: noon, Took: time.Second,
		Connections: 2, Requests: 1, Open: true, Answered: true, Status: 401, Failure: FailedTimeout, Later: []Question{{Probe: "http", Port: 80, Path: "/"}}, Hints: []uint16{443}}
	line, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back Asked
	if err := json.Unmarshal(line, &back); err != nil || !reflect.DeepEqual(a, back) {
		t.Errorf("%+v came back as %+v (%v)", a, back, err)
	}
}

func BenchmarkNext(b *testing.B) {
	st := State{Now: noon, Ports: []uint16{80, 554}, Evidence: []Evidence{field("http", "server", "App-webs/"), field("wsd", "xaddr", "http://192.0.2.7/onvif/device_service")}}
	b.ReportAllocs()
	for b.Loop() {
		Next(st)
	}
}
