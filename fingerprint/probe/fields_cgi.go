package probe

import (
	"bytes"
	"regexp"
	"strings"
)

// Dahua's own way to write what its programming interfaces tell. A name, a type
// or a version in another form could be anybody's.
var (
	dahuaModel   = regexp.MustCompile(`(?i)^(?:DHI?-\S|(?:H?[CX]VR|NVR)[0-9][0-9A-Z]|IPC-[A-Z]|(?:VT[OHS]|ASI|ASC)[0-9]{3})`)
	dahuaSerial  = regexp.MustCompile(`^[0-9A-Z]{2}[0-9A-F]{5}P[A-Z]{2}[0-9A-F]{5}$`)
	dahuaVersion = regexp.MustCompile(`^[0-9]\.[0-9]{3}\.(?:[0-9A-Z]{7}\.[0-9]{1,3}\.R$|[A-Z]{2}[0-9]{2}\.[0-9]{1,3}\.R$|[0-9A-Z]{4,7}\.[0-9]{1,3}(?:\.[0-9]{1,3})?(?:\.R)?,\s?build:20[0-9]{2}-[0-9]{2}-[0-9]{2}$)`)
	dahuaClass   = regexp.MustCompile(`^(?:VT[OHSA]|HCVR|MCVR|MXVR|EVS|IVSS|BSC|NVS_R|MNVR_IPC)`)
	// dahuaTable holds the names of Dahua's configuration tables.
	dahuaTable = regexp.MustCompile(`^table\.(?:All\.)?(?:` +
		`General\.(?:MachineName|LocalNo|MachineAddress|LockLogin\w*|MachineID|MaxOnlineTime)=|` +
		`Network\.(?:DefaultInterface|Domain|Hostname|eth\d\.(?:DefaultGateway|DhcpEnable|PhysicalAddress|IPAddress|SubnetMask|MTU|DnsServers\S*))=|` +
		`NTP\.(?:Address|Enable|Port|TimeZone|TimeZoneDesc|UpdatePeriod)=|Locales\.(?:DST\w+|TimeFormat)|RTSP\.RTP\.|` +
		`T2UServer\.|VSP_[A-Z0-9]+|` +
		`(?:ChannelTitle|VideoColor|VideoIn(?:Options|Mode|DayNight|Focus|Zoom|Sharpness)|VideoStandard|Lighting|Lighting_V2|LightingScheme|Encode|` +
		`MotionDetect|SmartMotionDetect|BlindDetect|LossDetect|AudioDetect|RecordMode|VideoWidget|VideoAnalyse(?:Rule|Global)|RemoteDevice|` +
		`StorageGroup|CoaxialControlIO|AccessControl|LeLensMask)\[\d{1,3}\])`)
)

// magicKeys are the keys that one action of magicBox answers with, the first line
// first, in lower case; getSystemInfo's (empty here) are the system's.
var magicKeys = map[string]string{
	"getdevicetype": "type", "getvendor": "vendor", "getserialno": "sn", "getsoftwareversion": "version",
	"getdeviceclass": "class", "getmachinename": "name", "gethardwareversion": "version", "getsysteminfo": "",
}

// systemKeys are what a system tells about itself; Dahua alone joins them so.
var systemKeys = map[string]string{
	"appautostart": "", "devicetype": "model", "hardwareversion": "", "processor": "",
	"serialnumber": "serial", "updateserial": "", "updateserialcloudupgrade": "",
}

// keyFields maps the one key of the other actions to the name that Dahua's
// discovery protocol gives the same fact. A class is told in that protocol alone.
var keyFields = map[string]string{"type": "model", "vendor": "vendor", "sn": "serial", "name": "name", "version": "firmware"}

// maxCGILines bounds the lines of a magicBox answer; a system has six.
const maxCGILines = 32

// cgiAnswer is what an answer of Dahua's programming interfaces says. own tells
// that something in it has Dahua's own form; without it the address alone speaks.
type cgiAnswer struct {
	facts *collector
	own   bool
	keys  int // of a system, as Dahua names them
}

// cgiFields reads the answers of Dahua's programming interfaces, by where they
// were asked for and only where the whole answer has their form.
func (r *response) cgiFields(c *collector, path string, body []byte) {
	if status := string(r.status); status != "" && status != "200" || path == "" || path == "/" {
		return
	}
	if strings.Contains(path, "://") {
		path = string(urlPath([]byte(path)))
	}
	path, query, _ := strings.Cut(strings.ToLower(path), "?")
	a := cgiAnswer{facts: newCollector(4)}
	name, known := "", false
	switch strings.Trim(path, "/") {
	case "cgi-bin/magicbox.cgi":
		name, known = "magicBox", a.magicBox(query, body)
		switch {
		case a.facts.has("vendor"):
			name = "magicBox vendor" // whose label it is, a rule judges
		case !a.own:
			name = "magicBox line"
		}
	case "cgi-bin/configmanager.cgi":
		name, known = "configManager", dahuaTable.Match(bytes.TrimLeft(body, "\r\n\t "))
	case "rpc2", "rpc2_login":
		name, known = "RPC2", a.rpc(body)
	}
	if !known {
		return
	}
	c.addText("cgi", name)
	c.embed("dhip", a.facts)
}

// magicBox reads lines of NAME=VALUE; a line of any other form, or a first key
// that was not asked for, makes the answer somebody else's.
func (a *cgiAnswer) magicBox(query string, body []byte) bool {
	_, action, _ := strings.Cut(query, "action=")
	action, _, _ = strings.Cut(action, "&")
	asked, known := magicKeys[action]
	if !known {
		return false
	}
	lines := 0
	for body = bytes.TrimSpace(body); len(body) > 0 && lines < maxCGILines; lines++ {
		var line []byte
		line, body = cutLine(body)
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte{'='})
		key, value := strings.ToLower(string(name)), bytes.TrimSpace(value)
		if !ok || len(value) == 0 || bytes.ContainsAny(line, "<>{}&") || is(value, "error") {
			return false
		}
		switch {
		case asked == "": // a system's
			if _, system := systemKeys[key]; !system {
				return false
			}
		case lines == 0 && key != asked, lines > 0 && (asked != "version" || key != "builddate"):
			return false
		}
		a.fact(key, action, value)
	}
	a.own = a.own || a.keys > 2
	return lines > 0
}

// fact keeps one fact.
func (a *cgiAnswer) fact(key, action string, value []byte) {
	field, system := systemKeys[key]
	if system {
		a.keys++
	} else {
		field = keyFields[key]
	}
	switch key {
	case "type", "devicetype", "updateserial":
		a.own = a.own || dahuaModel.Match(value)
		if _, coded := number(value); coded { // a number that stands for a model
			return
		}
	case "sn", "serialnumber":
		a.own = a.own || dahuaSerial.Match(value)
	case "class":
		a.own = a.own || dahuaClass.Match(value)
	case "version":
		if action != "getsoftwareversion" {
			return // of the hardware
		}
		a.own = a.own || dahuaVersion.Match(value)
		value, _, _ = bytes.Cut(value, []byte{','})
	}
	if field != "" && !a.facts.has(field) {
		a.facts.add(field, value)
	}
}

// rpc reads the answer to a call: a session, an outcome and the call's number at
// the top; or a system's facts right under it. JSON-RPC of the usual kind differs.
func (a *cgiAnswer) rpc(body []byte) bool {
	if !startsJSON(body) {
		return false
	}
	var id, outcome, session, foreign bool
	jsonLeaves(body, func(leaf jsonLeaf) bool {
		if leaf.listed || leaf.depth > 2 {
			return true
		}
		key := strings.ToLower(string(leaf.name))
		_, counted := number(leaf.value)
		switch {
		case leaf.depth == 1 && key == "jsonrpc":
			foreign = true
		case leaf.depth == 1 && key == "id":
			id = counted
		case leaf.depth == 1 && key == "result":
			outcome = counted || is(leaf.value, "true") || is(leaf.value, "false")
		case leaf.depth == 1 && key == "session":
			session = len(leaf.value) > 0 && !is(leaf.value, "null")
		case leaf.depth == 2 && (is(leaf.parent, "params") || is(leaf.parent, "data")):
			if _, system := systemKeys[key]; system && len(leaf.value) > 0 {
				a.fact(key, "", leaf.value)
			}
		}
		return true
	})
	if foreign || !id || !outcome {
		return false
	}
	return session || a.own && a.keys > 2
}
