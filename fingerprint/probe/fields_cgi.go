package probe

import (
	"bytes"
	"strings"
)

// magicKeys are the keys that one action of magicBox answers with, the first line
// first, in lower case; getSystemInfo's (empty here) are the system's. The field
// that a line is kept in bears the key's name.
var magicKeys = map[string]string{
	"getdevicetype": "type", "getvendor": "vendor", "getserialno": "sn", "getsoftwareversion": "version",
	"getdeviceclass": "class", "getmachinename": "name", "gethardwareversion": "version", "getsysteminfo": "",
}

// systemKeys are what a system tells about itself, each with the name that
// Dahua's discovery protocol gives the same fact.
var systemKeys = map[string]string{
	"appautostart": "", "devicetype": "model", "hardwareversion": "", "processor": "",
	"serialnumber": "serial", "updateserial": "", "updateserialcloudupgrade": "",
}

// keyFields is the same for the one key of the other actions.
var keyFields = map[string]string{"type": "model", "vendor": "vendor", "sn": "serial", "name": "name", "version": "firmware"}

const (
	maxCGILines = 32 // lines of a magicBox answer; a system has six
	systemSays  = 3  // keys of a system that nobody joins by chance
)

// cgiAnswer is what an answer of Dahua's programming interfaces says: line by
// line as it came, and what it tells in the words of Dahua's discovery protocol.
type cgiAnswer struct {
	lines, facts *collector
	keys         int // of a system
}

// cgiFields reads the answers of Dahua's programming interfaces, by where they
// were asked for and only where the whole answer is written as theirs are. Whose
// the values are, rules judge.
func (r *response) cgiFields(c *collector, path string, body []byte) {
	if status := string(r.status); status != "" && status != "200" || path == "" || path == "/" {
		return
	}
	if strings.Contains(path, "://") {
		path = string(urlPath([]byte(path)))
	}
	path, query, _ := strings.Cut(strings.ToLower(path), "?")
	a := cgiAnswer{lines: newCollector(4), facts: newCollector(4)}
	name, known := "", false
	switch strings.Trim(path, "/") {
	case "cgi-bin/magicbox.cgi":
		name, known = "magicBox", a.magicBox(query, body)
	case "cgi-bin/configmanager.cgi":
		name, known = "configManager", hasPrefixFold(bytes.TrimLeft(body, "\r\n\t "), "table.")
	case "rpc2", "rpc2_login":
		name, known = "RPC2", a.rpc(body)
	}
	if !known {
		return
	}
	if a.keys >= systemSays {
		name += " system"
	}
	c.addText("cgi", name)
	for _, line := range a.lines.fields {
		c.addText("cgi."+line.Name, line.Value)
	}
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
		if key != "version" || action == "getsoftwareversion" { // or it is the hardware's
			a.fact(key, value)
		}
	}
	return lines > 0
}

// fact keeps one line.
func (a *cgiAnswer) fact(key string, value []byte) {
	field, system := systemKeys[key]
	switch {
	case !system:
		field = keyFields[key]
	case !a.lines.has(key): // told again, it is no further fact
		a.keys++
	}
	if key != "name" { // the owner's words have one place, dhip.name
		a.lines.addOnce(key, value)
	}
	if field == "model" {
		if _, coded := number(value); coded { // a number that stands for a model
			return
		}
	}
	if field == "firmware" {
		value, _, _ = bytes.Cut(value, []byte{','}) // from the day of its build
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
				a.fact(key, leaf.value)
			}
		}
		return true
	})
	if foreign || !id || !outcome {
		return false
	}
	return session || a.keys >= systemSays
}
