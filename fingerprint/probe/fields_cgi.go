package probe

import (
	"bytes"
	"strings"
)

// cgiNames maps what Dahua's programming interfaces tell (magicBox as lines,
// RPC2 as JSON) to the names that its discovery protocol gives the same facts.
var cgiNames = map[string]string{
	"type": "model", "devicetype": "model", "class": "class", "vendor": "vendor",
	"sn": "serial", "serialnumber": "serial", "name": "name", "version": "firmware",
	"processor": "", "hardwareversion": "", "updateserial": "", "appautostart": "",
}

// maxCGILines bounds the lines of a magicBox answer; a system has six.
const maxCGILines = 32

// cgiFields reads the answers of Dahua's programming interfaces, by where they
// were asked for and only where the whole answer has their form.
func (r *response) cgiFields(c *collector, path string, body []byte) {
	if status := string(r.status); status != "" && status != "200" || path == "" || path == "/" {
		return
	}
	facts := newCollector(4)
	name := ""
	switch {
	case asks(path, "/cgi-bin/magicbox.cgi"):
		if !magicBox(facts, path, body) {
			return
		}
		name = "magicBox"
	case asks(path, "/cgi-bin/configmanager.cgi"):
		if line, _ := cutLine(body); !bytes.HasPrefix(line, []byte("table.")) || bytes.IndexByte(line, '=') < 0 {
			return
		}
		name = "configManager"
	case asks(path, "/rpc2"):
		if !startsJSON(body) || !bytes.Contains(body, []byte(`"session"`)) || !bytes.Contains(body, []byte(`"result"`)) {
			return
		}
		name = "RPC2"
		jsonLeaves(body, func(key, value []byte) bool {
			cgiFact(facts, path, key, value)
			return true
		})
	}
	c.addText("cgi", name)
	c.embed("dhip", facts)
}

// magicBox reads lines of NAME=VALUE; a line of any other form makes the answer
// somebody else's.
func magicBox(c *collector, path string, body []byte) bool {
	lines := 0
	for body = bytes.TrimSpace(body); len(body) > 0 && lines < maxCGILines; lines++ {
		var line []byte
		line, body = cutLine(body)
		key, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte{'='})
		if _, known := cgiNames[strings.ToLower(string(key))]; !ok || !known && lines == 0 || bytes.ContainsAny(line, "<>{}") {
			return false
		}
		cgiFact(c, path, key, value)
	}
	return lines > 0
}

func cgiFact(c *collector, path string, key, value []byte) {
	field := cgiNames[strings.ToLower(string(key))]
	switch field {
	case "":
		return
	case "model":
		if _, number := number(value); number { // a number that stands for a model
			return
		}
	case "firmware":
		if !strings.Contains(strings.ToLower(path), "software") {
			return // of the hardware
		}
		value, _, _ = bytes.Cut(value, []byte{','})
	}
	if !c.has(field) {
		c.add(field, value)
	}
}
