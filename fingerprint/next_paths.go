package fingerprint

// What Next may ask for beyond "/", and the evidence that unlocks it. Each
// entry has its request in package probe; a test there holds the two tables
// against each other.

// sign is evidence by which a path is unlocked: a field whose value contains
// a text, letter case aside. Sources is empty for any source.
type sign struct {
	Sources  []string
	Field    string
	Contains string
}

// vendorPath is a maker's own path, asked only of a host that points to it.
type vendorPath struct {
	Question Question // Port and TLS are those of the host's web server
	Makers   []string // a candidate of one of these names, or of its group, unlocks it
	Signs    []sign   // so does any of these
	Why      string
}

var web = []string{"http", "https"}

var hikvisionSigns = []sign{
	{[]string{"sadp"}, "", ""},
	{web, "server", "app-webs"},
	{web, "server", "hikvision-webs"},
	{web, "server", "dnvrs-webs"},
	{web, "server", "dvrdvs-webs"},
	{web, "location", "/doc/page/login.asp"},
	{web, "body", "/doc/page/login.asp"},
	{web, "body", "/doc/index.html"},
	{nil, "realm", "ip camera("},
	{[]string{"tls"}, "subject", "hikvision"},
	{[]string{"onvif"}, "manufacturer", "hikvision"},
	{[]string{"wsd"}, "", "hikvision"},
}

var hikvisionMakers = []string{"Hikvision", "EZVIZ", "HiLook", "HIKMICRO", "Hikrobot"}

var vendorPaths = []vendorPath{
	{
		Question: Question{Probe: "isapi", Path: "/SDK/activateStatus"},
		Makers:   hikvisionMakers, Signs: hikvisionSigns,
		Why: "only Hikvision's firmware answers /SDK/activateStatus, and without a login",
	},
	{
		Question: Question{Probe: "isapi", Path: isapiDevice},
		Makers:   hikvisionMakers, Signs: hikvisionSigns,
		Why: "Hikvision's ISAPI names the model, or its realm does",
	},
	{
		Question: Question{Probe: "upnp", Path: "/upnpdevicedesc.xml"},
		Makers:   hikvisionMakers, Signs: hikvisionSigns,
		Why: "Hikvision's UPnP description lies open on the web port",
	},
	{
		Question: Question{Probe: "http", Path: "/cgi-bin/magicBox.cgi?action=getDeviceType"},
		Makers:   []string{"Dahua", "Imou", "Lorex", "Amcrest", "Intelbras"},
		Signs: []sign{
			{[]string{"dhip"}, "", ""},
			{nil, "realm", "login to "},
			{nil, "server", "dahua"},
			{[]string{"ssdp"}, "server", "private upnp sdk"},
			{web, "title", "web service"},
			{web, "body", "rpccore"},
			{[]string{"tls"}, "subject", "dahua"},
			{[]string{"tls"}, "issuer", "dahua"},
			{[]string{"onvif"}, "manufacturer", "dahua"},
			{[]string{"wsd"}, "", "dahua"},
		},
		Why: "Dahua's magicBox answers with its own realm",
	},
	{
		Question: Question{Probe: "http", Path: "/axis-cgi/basicdeviceinfo.cgi"},
		Makers:   []string{"Axis", "Axis Communications"},
		Signs: []sign{
			{nil, "realm", "axis_"},
			{web, "title", "axis"},
			{web, "location", "/camera/index.html"},
			{[]string{"tls"}, "subject", "axis-"},
			{[]string{"mdns"}, "service", "_axis-video"},
			{[]string{"wsd"}, "scope.name", "axis"},
			{[]string{"ssdp"}, "usn", "axis"},
		},
		Why: "Axis names its model and serial to anyone",
	},
	{
		Question: Question{Probe: "http", Path: "/LAPI/V1.0/System/DeviceInfo"},
		Makers:   []string{"Uniview"},
		Signs: []sign{
			{web, "title", "uniview"},
			{web, "body", "/lapi/v1.0"},
			{[]string{"tls"}, "subject", "uniview"},
			{[]string{"onvif"}, "manufacturer", "uniview"},
			{[]string{"wsd"}, "", "uniview"},
		},
		Why: "the LAPI exists on Uniview's firmware only",
	},
}

// onvifPath is where ONVIF lives when no XAddr says so (Core, section 5.1.1).
const onvifPath = "/onvif/device_service"

// onvifDevice needs a user by the standard, yet small clones answer anyone; one
// refusal ends it.
const onvifDevice = "GetDeviceInformation"

// onvifOperations are the PRE_AUTH operations (Core, access classes), the most
// telling first. The second of a pair is asked where the first is unknown.
var onvifOperations = []struct{ name, unless string }{
	{"GetServices", ""},
	{"GetCapabilities", "GetServices"},
	{"GetHostname", ""},
	{"GetEndpointReference", ""},
	{"GetWsdlUrl", ""},
	{"GetServiceCapabilities", ""},
	{"GetSystemDateAndTime", ""},
}

// isapiDevice names model and serial to a user, the realm of its refusal often
// the model to anyone.
const isapiDevice = "/ISAPI/System/deviceInfo"

const faviconPath = "/favicon.ico"

// Ports that a private protocol owns: an open one is a hint, nothing is sent.
var privatePorts = []uint16{37777, 37778, 34567, 34599, 9000, 6036, 9008}

// The service that a port usually has, when nothing but its number is known.
var securePorts = []uint16{443, 8443, 4433, 4443}
var streamPorts = []uint16{554, 8554, 10554, 5543, 7070}

// What is tried on a host that was merely sighted.
var (
	guessedWeb    = []uint16{80, 443}
	guessedStream = []uint16{554}
	guessedLast   = []uint16{8080, 8000}
)

// forwardedPorts are where a router most often lets others be reached.
var forwardedPorts = []uint16{8080, 8000, 554, 80, 443}

// frameSources know a host's MAC by the frames of its own network.
var frameSources = []string{"arp", "ndp", "neighbor", "snmp"}

// Questions are all that Next can put but for the ports, and for the paths of
// a LOCATION, an XAddr and a redirect, which package probe bounds.
func Questions() []Question {
	questions := []Question{
		{Probe: "http", Path: "/"}, {Probe: "https", Path: "/"}, {Probe: "tls"},
		{Probe: "rtsp", Path: "/"}, {Probe: "favicon", Path: faviconPath},
		{Probe: "onvif", Path: onvifPath + "#" + onvifDevice},
	}
	for _, op := range onvifOperations {
		questions = append(questions, Question{Probe: "onvif", Path: onvifPath + "#" + op.name})
	}
	for _, v := range vendorPaths {
		questions = append(questions, v.Question)
	}
	return questions
}
