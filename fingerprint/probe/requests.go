package probe

import "camcensus/fingerprint"

// Request is one request this package can send, whole but for the host, the
// User-Agent and the length of the body. Every one of them reads and changes
// nothing; none carries an Authorization header.
type Request struct {
	Probe  string // the question's kind; an http request serves https as well
	Path   string // as in fingerprint.Question
	Method string
	Type   string // Content-Type of Body
	Body   string
}

// Requests is every request there is. A question that is not in it is refused,
// whoever asks, so that no answer of a device can lead to another one.
var Requests = []Request{
	{Probe: "http", Path: "/", Method: "GET"},

	// Where devices redirect "/" to: their own start and login pages. Pages
	// that show a picture are not among them.
	{Probe: "http", Path: "/index.html", Method: "GET"},
	{Probe: "http", Path: "/index.htm", Method: "GET"},
	{Probe: "http", Path: "/index.asp", Method: "GET"},
	{Probe: "http", Path: "/index.php", Method: "GET"},
	{Probe: "http", Path: "/index.shtml", Method: "GET"},
	{Probe: "http", Path: "/home.htm", Method: "GET"},
	{Probe: "http", Path: "/home.html", Method: "GET"},
	{Probe: "http", Path: "/main.html", Method: "GET"},
	{Probe: "http", Path: "/login", Method: "GET"},
	{Probe: "http", Path: "/login/", Method: "GET"},
	{Probe: "http", Path: "/login.asp", Method: "GET"},
	{Probe: "http", Path: "/login.htm", Method: "GET"},
	{Probe: "http", Path: "/login.html", Method: "GET"},
	{Probe: "http", Path: "/doc/index.html", Method: "GET"},
	{Probe: "http", Path: "/doc/page/login.asp", Method: "GET"},
	{Probe: "http", Path: "/web/", Method: "GET"},
	{Probe: "http", Path: "/web/index.html", Method: "GET"},
	{Probe: "http", Path: "/webpages/login.html", Method: "GET"},
	{Probe: "http", Path: "/camera/index.html", Method: "GET"},
	{Probe: "http", Path: "/wmf/index.html", Method: "GET"},
	{Probe: "http", Path: "/ui/", Method: "GET"},

	// Makers' own paths: fingerprint's table says what unlocks each.
	{Probe: "http", Path: "/cgi-bin/magicBox.cgi?action=getDeviceType", Method: "GET"},
	{Probe: "http", Path: "/LAPI/V1.0/System/DeviceInfo", Method: "GET"},
	{Probe: "http", Path: "/axis-cgi/basicdeviceinfo.cgi", Method: "POST", Type: "application/json",
		Body: `{"apiVersion":"1.0","method":"getAllUnrestrictedProperties"}`},
	{Probe: "isapi", Path: "/SDK/activateStatus", Method: "GET"},
	{Probe: "isapi", Path: "/ISAPI/System/deviceInfo", Method: "GET"},

	{Probe: "upnp", Path: "/upnpdevicedesc.xml", Method: "GET"},
	{Probe: "upnp", Path: locatedPath, Method: "GET"},
	{Probe: "favicon", Path: "/favicon.ico", Method: "GET"},

	{Probe: "rtsp", Path: "/", Method: "OPTIONS"},
	{Probe: "rtsp", Path: "/", Method: "DESCRIBE"},

	// Core, access class PRE_AUTH, and GetDeviceInformation.
	soap("GetDeviceInformation", `<GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/>`),
	soap("GetServices", `<GetServices xmlns="http://www.onvif.org/ver10/device/wsdl"><IncludeCapability>false</IncludeCapability></GetServices>`),
	soap("GetCapabilities", `<GetCapabilities xmlns="http://www.onvif.org/ver10/device/wsdl"><Category>All</Category></GetCapabilities>`),
	soap("GetHostname", `<GetHostname xmlns="http://www.onvif.org/ver10/device/wsdl"/>`),
	soap("GetEndpointReference", `<GetEndpointReference xmlns="http://www.onvif.org/ver10/device/wsdl"/>`),
	soap("GetWsdlUrl", `<GetWsdlUrl xmlns="http://www.onvif.org/ver10/device/wsdl"/>`),
	soap("GetServiceCapabilities", `<GetServiceCapabilities xmlns="http://www.onvif.org/ver10/device/wsdl"/>`),
	soap("GetSystemDateAndTime", `<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>`),
}

// locatedPath stands for the path of a LOCATION: see plainDescription.
const locatedPath = "LOCATION"

// onvifServices are the paths that an ONVIF device service is known to have.
// An XAddr with another path is not followed.
var onvifServices = []string{
	"/onvif/device_service", "/onvif/services", "/onvif/device", "/onvif/devices", "/onvif/Device", "/onvif/service",
}

// soap is one ONVIF request; its Path is the operation's fragment alone.
func soap(operation, body string) Request {
	return Request{
		Probe: "onvif", Path: "#" + operation, Method: "POST",
		Type: `application/soap+xml; charset=utf-8; action="http://www.onvif.org/ver10/device/wsdl/` + operation + `"`,
		Body: envelopeOpen + `<s:Body>` + body + `</s:Body></s:Envelope>`,
	}
}

const envelopeOpen = `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">`

// requestFor finds the one request that answers to the question.
func requestFor(q fingerprint.Question) (Request, bool) {
	kind, path := q.Probe, q.Path
	switch kind {
	case "tls":
		return Request{Probe: kind}, true
	case "https":
		kind = "http"
	case "upnp":
		if path != "/upnpdevicedesc.xml" && plainDescription(path) {
			return Request{Probe: kind, Path: path, Method: "GET"}, true
		}
	case "onvif":
		return onvifRequest(path)
	}
	for _, r := range Requests {
		if r.Probe == kind && r.Path == path && r.Path != locatedPath {
			return r, true
		}
	}
	return Request{}, false
}
