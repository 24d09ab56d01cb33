package agent

import (
	"net"
	"regexp"

	"camcensus/discovery"
)

// Redact takes out of a record what names a person or one device: MAC tails,
// serials, device and host names, those of the device itself wherever they
// stand. What names the maker stays, and so do IP
// addresses, by which the records of one device are told apart.
func Redact(r discovery.Record, own Names) discovery.Record {
	r = own.takeOut(r)
	r.MAC = redactMAC(r.MAC)
	if mac, err := net.ParseMAC(r.Host); err == nil {
		r.Host = redactMAC(mac.String())
	}
	r.Base64 = []byte(redactText(string(r.Base64)))
	r.Raw = redactText(r.Raw)
	r.Request = ""
	return r
}

var (
	// macPattern is a MAC as devices write it, in any of the usual forms.
	macPattern = regexp.MustCompile(`(?i)\b([0-9a-f]{2})([:-])([0-9a-f]{2})[:-]([0-9a-f]{2})[:-][0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}\b`)
	// taggedSecret is an XML element or JSON member that names one device.
	taggedSecret = regexp.MustCompile(`(?i)(<(?:[a-z0-9]+:)?(?:DeviceSN|serialNumber|SerialNo|SerialNumber|deviceName|friendlyName|UDN|deviceID|Salt)>)[^<]*`)
	jsonSecret   = regexp.MustCompile(`(?i)("(?:SerialNo|SN|MachineName|hostname|host|DeviceID|serial|device_id|owner|instance)"\s*:\s*")[^"]*`)
	loginRealm   = regexp.MustCompile(`(?i)(Login to )[0-9A-Z]{8,}`)
	onvifName    = regexp.MustCompile(`(?i)(onvif://www\.onvif\.org/(?:name|location|serial(?:number)?)/)[^\s<"]*`)
	uuidTail     = regexp.MustCompile(`(?i)\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-)[0-9a-f]{12}\b`)
)

func redactText(s string) string {
	if s == "" {
		return s
	}
	s = macPattern.ReplaceAllString(s, "${1}${2}${3}${2}${4}${2}00${2}00${2}00")
	s = taggedSecret.ReplaceAllString(s, "${1}redacted")
	s = jsonSecret.ReplaceAllString(s, "${1}redacted")
	s = loginRealm.ReplaceAllString(s, "${1}redacted")
	s = onvifName.ReplaceAllString(s, "${1}redacted")
	return uuidTail.ReplaceAllString(s, "${1}000000000000")
}

func redactMAC(s string) string {
	mac, err := net.ParseMAC(s)
	if err != nil || len(mac) != 6 {
		return s
	}
	return net.HardwareAddr{mac[0], mac[1], mac[2], 0, 0, 0}.String()
}
