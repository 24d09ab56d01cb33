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
	"http.server":              "the name of its web server",
	"http.realm":               "the name of its log-in area",
	"http.title":               "the title of its web page",
	"http.body":                "its web page",
	"http.location":            "the page it sends browsers to",
	"http.generator":           "the maker of its web page",
	"rtsp.server":              "the name of its video server",
	"rtsp.realm":               "the log-in area of its video server",
	"tls.subject":              "the holder named in its certificate",
	"tls.issuer":               "the issuer of its certificate",
	"wsd.scope.name":           "the name it announces",
	"wsd.scope.hardware":       "the model it announces",
	"wsd.scope":                "what it announces of itself",
	"wsd.type":                 "the kind of device it announces",
	"sadp.model":               "the model in its SADP answer",
	"sadp.serial":              "the serial number in its SADP answer",
	"sadp.types":               "its SADP answer",
	"dhip.method":              "its DHIP answer",
	"dhip.model":               "the model in its DHIP answer",
	"dhip.class":               "the kind of device in its DHIP answer",
	"dhip.serial":              "the serial number in its DHIP answer",
	"onvif.manufacturer":       "the maker its ONVIF service gives",
	"onvif.model":              "the model its ONVIF service gives",
	"onvif.serial":             "the serial number its ONVIF service gives",
	"isapi.model":              "the model its ISAPI service gives",
	"isapi.namespace":          "the dialect its ISAPI service speaks",
	"upnp.manufacturer":        "the maker in its UPnP description",
	"upnp.model":               "the model in its UPnP description",
	"mdns.service":             "the service it offers on the local network",
	"mdns.instance":            "the name of the service it offers",
	"dhcp.vendor_class":        "what it calls itself when it asks for an address",
	"dhcp.hostname":            "the host name it asks for",
	"favicon.mmh3":             "the fingerprint of its web page's icon",
	"favicon.md5":              "the fingerprint of its web page's icon",
	"ssdp.server":              "what it calls itself in UPnP",
	"wsd.scope.extension":      "an addition to what it announces",
	"sadp.devicetype":          "the product code in its SADP answer",
	"upnp.model_number":        "the model in its UPnP description",
	"http.cgi":                 "an answer of its programming interface",
	"http.json.realm":          "the log-in area in its web server's answer",
	"https.server":             "the name of its web server",
	"rtsp.sdp.session":         "the name of its video session",
	"onvif.namespace":          "the dialect its ONVIF service speaks",
	"isapi.serial":             "the serial number its ISAPI service gives",
	"isapi.manufacturer":       "the maker its ISAPI service gives",
	"wsd.namespace":            "the dialect of its announcement",
	"snmp.sysdescr":            "how it describes itself to the network's management",
	"wsd.scope.serial":         "the serial number it announces",
	"wsd.scope.mac":            "the hardware address it announces",
	"upnp.friendly_name":       "the name in its UPnP description",
	"rtsp.public":              "the commands its video server takes",
	"tls.subject.o":            "the firm named in its certificate",
	"tls.issuer.o":             "the firm that issued its certificate",
	"tls.subject.cn":           "the name in its certificate",
	"isapi.device_type":        "the kind of device its ISAPI service gives",
	"isapi.root":               "its ISAPI answer",
	"rtsp.status":              "an answer of its video server with the status",
	"wsd.scope.manufacturer":   "the maker it announces",
	"wsd.scope.type":           "the kind of device it announces",
	"wsd.epr":                  "the identifier it announces",
	"dvrip.type":               "its answer in Dahua's older discovery protocol",
	"dhip.vendor":              "the label in its DHIP answer",
	"dhip.manufacturer":        "the label in its DHIP answer",
	"sadp.channels.digital":    "how many network cameras it records",
	"http.refresh":             "the page it sends browsers to",
	"http.meta.author":         "the author named in its web page",
	"http.meta.copyright":      "the copyright line of its web page",
	"http.meta.description":    "the description in its web page",
	"http.header.set-cookie":   "the cookie that its web server sets",
	"http.header.etag":         "the mark its web server puts on a page",
	"http.json.brand":          "the label its web server gives",
	"http.json.prodnbr":        "the model its web server gives",
	"isapi.device_description": "the kind of device its ISAPI service gives",
	"tls.issuer.cn":            "the issuer of its certificate",
	"tls.subject.ou":           "the department named in its certificate",
	"upnp.model_description":   "the kind of device in its UPnP description",
	"mdns.txt.ci":              "the kind of device it announces to HomeKit",
	"mdns.txt.md":              "the model in a service it offers",
	"mdns.txt.model":           "the model in a service it offers",
	"mdns.txt.am":              "the model in a service it offers",
	"mdns.txt.ty":              "the model in a service it offers",
	"mdns.txt.usb_mfg":         "the maker in a service it offers",
	"mdns.txt.vendor":          "the maker in a service it offers",
	"mdns.txt.macaddress":      "the hardware address in a service it offers",
	"dhip.channels.remote":     "the number of cameras in its DHIP answer",
	"sadp.channels.analog":     "the number of coaxial cameras in its SADP answer",
	"onvif.path.device":        "the address of its ONVIF service",
	"onvif.path.media":         "the address of its ONVIF video service",
	"rtsp.header.content-base": "the address of its video",
	"rtsp.sdp.info":            "the description of its video",
	"rtsp.sdp.tool":            "the program that describes its video",
	"rtsp.sdp.attribute":       "a detail of its video's description",
	"rtsp.date.padding":        "the form of the date its video server writes",
	"wsd.xaddr":                "the address of its service in its announcement",
	"wsd.scope.location":       "the place it announces",
	"ubiquiti.product":         "the product in its answer in Ubiquiti's own discovery protocol",
}

var kindWords = map[string]string{
	"http": "its web server's answer", "https": "its web server's answer",
	"rtsp": "its video server's answer", "tls": "its certificate", "wsd": "its announcement",
	"onvif": "its ONVIF answer", "isapi": "its ISAPI answer", "upnp": "its UPnP description",
	"ssdp": "its UPnP announcement", "mdns": "a service it offers", "dhcp": "its request for an address",
	"sadp": "its SADP answer", "dhip": "its DHIP answer", "favicon": "its web page's icon",
	"dvrip": "its answer in Dahua's older discovery protocol", "xmeye": "its answer in XMeye's own discovery protocol",
	"hanwha": "its answer in Hanwha's own discovery protocol", "bosch": "its answer in Bosch's own discovery protocol",
	"sony": "its answer in Sony's own discovery protocol", "panasonic": "its answer in Panasonic's own discovery protocol",
	"vivotek": "its answer in Vivotek's own discovery protocol", "foscam": "its answer in Foscam's own discovery protocol",
	"ubiquiti": "its answer in Ubiquiti's own discovery protocol", "tplink": "its answer in TP-Link's own discovery protocol",
	"cgi": "its programming interface's answer",
	"tvt": "its answer in TVT's own discovery protocol", "vstarcam": "its answer in VStarcam's own discovery protocol",
	"snmp": "its answer to the network's management",
}

// plainFields says what a field is in any answer; a dot's head serves where
// the whole name has no words of its own.
var plainFields = map[string]string{
	"mac": "the hardware address", "model": "the model", "model_number": "the model number", "serial": "the serial number",
	"firmware": "the firmware's version", "manufacturer": "the maker's name", "vendor": "the seller's name",
	"brand": "the label", "name": "the name", "class": "the kind of device", "type": "the kind of answer",
	"types": "the kind of answer", "devicetype": "the product code", "device_type": "the kind of device",
	"hardware_id": "the hardware number", "status": "the status line", "auth": "the way to log in",
	"generator": "the maker of the page", "public": "the commands it takes", "date": "the date",
	"namespace": "the dialect", "root": "the kind of answer", "path": "the address of a service", "header": "the line",
	"sdp": "the description of its video", "scope": "an addition", "txt": "an addition", "service": "the service",
	"instance": "the name of a service", "host": "the host name", "usn": "the identifier", "st": "the kind of service",
	"nt": "the kind of service", "location": "the address of its description", "udn": "the identifier",
	"epr": "the identifier", "subject": "the holder", "issuer": "the issuer", "san": "a name", "sha256": "the fingerprint",
	"oemcode": "the customer's code", "oem_code": "the customer's code", "oeminfo": "the customer's name",
	"activated": "whether it has been set up", "system_contact": "whom to contact", "channels": "the number of cameras",
	"port": "a port", "friendly_name": "the name", "manufacturer_url": "the maker's web address", "model_url": "the model's web address",
	"vendor_class": "the kind of device", "hostname": "the host name", "http": "a port", "ip": "the address", "realm": "the log-in area",
	"server": "the server's name", "json": "the entry", "cgi": "the line", "title": "the title", "body": "the text",
}

// fieldText names a field for a reader who knows no protocol.
func fieldText(source, field string) string {
	kind, field := Spoken(source, field)
	if kind == "dhip" && source != kind {
		return plainField(field) + " in " + kindWords["cgi"]
	}
	if words := fieldWords[aliasKind(kind)+"."+field]; words != "" {
		return words
	}
	words := plainField(field)
	if kind := kindWords[kind]; kind != "" {
		return words + " in " + kind
	}
	return words + " in its answer in the protocol “" + kind + "”"
}

func plainField(field string) string {
	if words := plainFields[field]; words != "" {
		return words
	}
	head, tail, _ := strings.Cut(field, ".")
	if words := plainFields[head]; words != "" {
		return words + " “" + tail + "”"
	}
	return "the field “" + field + "”"
}

// seenText begins a reason: what was seen.
func seenText(kind, field, value string) string {
	return seenHead(kind, field) + seenValue(field, value) + seenEnd(field)
}

// seenHead is what stands before the value, seenValue the value as it is told
// and seenEnd what stands after it; of a body only that it was seen is told.
func seenHead(kind, field string) string {
	if field == "body" {
		return "Seen in " + fieldText(kind, field)
	}
	return "Seen: " + fieldText(kind, field) + ", “"
}

func seenValue(field, value string) string {
	if field == "body" {
		return ""
	}
	return value
}

func seenEnd(field string) string {
	if field == "body" {
		return ". "
	}
	return "”. "
}

// answerText names one answer.
func (s *state) answerText(a int32) string {
	at := s.answers[a]
	text := strings.TrimPrefix(kindWords[at.source], "its ")
	if text == "" {
		text = "answer in the protocol “" + at.source + "”"
	}
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
