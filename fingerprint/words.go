package fingerprint

import (
	"strconv"
	"strings"
)

// maxShown bounds a value as it is shown, in bytes.
const maxShown = 160

func quote(value string) string { return "“" + clip(value, maxShown) + "”" }

// fieldWords says in plain words what a field is; the kind's own words serve
// where a field has none.
var fieldWords = map[string]string{
	"http.server":           "the name of its web server",
	"http.realm":            "the name of its log-in area",
	"http.title":            "the title of its web page",
	"http.body":             "its web page",
	"http.location":         "the page it sends browsers to",
	"http.generator":        "the maker of its web page",
	"rtsp.server":           "the name of its video server",
	"rtsp.realm":            "the log-in area of its video server",
	"tls.subject":           "the holder named in its certificate",
	"tls.issuer":            "the issuer of its certificate",
	"wsd.scope.name":        "the name it announces",
	"wsd.scope.hardware":    "the model it announces",
	"wsd.scope":             "what it announces of itself",
	"wsd.type":              "the kind of device it announces",
	"sadp.model":            "the model in its SADP answer",
	"sadp.serial":           "the serial number in its SADP answer",
	"sadp.types":            "its SADP answer",
	"dhip.method":           "its DHIP answer",
	"dhip.model":            "the model in its DHIP answer",
	"dhip.class":            "the kind of device in its DHIP answer",
	"dhip.serial":           "the serial number in its DHIP answer",
	"onvif.manufacturer":    "the maker its ONVIF service gives",
	"onvif.model":           "the model its ONVIF service gives",
	"onvif.serial":          "the serial number its ONVIF service gives",
	"isapi.model":           "the model its ISAPI service gives",
	"isapi.namespace":       "the dialect its ISAPI service speaks",
	"upnp.manufacturer":     "the maker in its UPnP description",
	"upnp.model":            "the model in its UPnP description",
	"mdns.service":          "the service it offers on the local network",
	"mdns.instance":         "the name of the service it offers",
	"dhcp.vendor_class":     "what it calls itself when it asks for an address",
	"dhcp.hostname":         "the host name it asks for",
	"favicon.mmh3":          "the fingerprint of its web page's icon",
	"favicon.md5":           "the fingerprint of its web page's icon",
	"ssdp.server":           "what it calls itself in UPnP",
	"wsd.scope.extension":   "an addition to what it announces",
	"sadp.devicetype":       "the product code in its SADP answer",
	"upnp.model_number":     "the model in its UPnP description",
	"https.server":          "the name of its web server",
	"rtsp.sdp.session":      "the name of its video session",
	"onvif.namespace":       "the dialect its ONVIF service speaks",
	"isapi.serial":          "the serial number its ISAPI service gives",
	"isapi.manufacturer":    "the maker its ISAPI service gives",
	"wsd.namespace":         "the dialect of its announcement",
	"snmp.sysdescr":         "how it describes itself to the network's management",
	"wsd.scope.serial":      "the serial number it announces",
	"wsd.scope.mac":         "the hardware address it announces",
	"upnp.friendly_name":    "the name in its UPnP description",
	"rtsp.public":           "the commands its video server takes",
	"tls.subject.o":         "the firm named in its certificate",
	"tls.issuer.o":          "the firm that issued its certificate",
	"tls.subject.cn":        "the name in its certificate",
	"isapi.device_type":     "the kind of device its ISAPI service gives",
	"sadp.channels.digital": "how many network cameras it records",
}

var kindWords = map[string]string{
	"http": "its web server's answer", "https": "its web server's answer",
	"rtsp": "its video server's answer", "tls": "its certificate", "wsd": "its announcement",
	"onvif": "its ONVIF answer", "isapi": "its ISAPI answer", "upnp": "its UPnP description",
	"ssdp": "its UPnP announcement", "mdns": "a service it offers", "dhcp": "its request for an address",
	"sadp": "its SADP answer", "dhip": "its DHIP answer", "favicon": "its web page's icon",
}

// fieldText names a field for a reader who knows no protocol.
func fieldText(kind, field string) string {
	if words := fieldWords[aliasKind(kind)+"."+field]; words != "" {
		return words
	}
	if words := kindWords[kind]; words != "" {
		return field + " in " + words
	}
	return field + " in its " + kind + " answer"
}

// seenText begins a reason: what was seen.
func seenText(kind, field, value string) string {
	words := fieldText(kind, field)
	if field == "body" {
		return "Seen in " + words + ". "
	}
	return "Seen: " + words + ", “" + value + "”. "
}

// answerText names one answer.
func (s *state) answerText(a int32) string {
	at := s.answers[a]
	text := at.source + " answer"
	if at.port != 0 {
		text += " on port " + strconv.Itoa(at.port)
	}
	if at.path != "" && at.path != "/" {
		text += " to " + at.path
	}
	return text
}

func (s *state) note(text string) {
	if len(s.notes) < 16 {
		s.notes = append(s.notes, strings.TrimSpace(text))
	}
}
