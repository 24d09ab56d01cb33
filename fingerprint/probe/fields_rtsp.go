package probe

import (
	"bytes"

	"camcensus/discovery"
)

// rtspFields reads one or several RTSP responses (RFC 2326) and the session
// description (RFC 8866) in them.
func rtspFields(raw []byte) []discovery.Field {
	c := newCollector(16)
	for range maxAnswers {
		r := parseResponse(raw)
		r.headFields(c)
		if body := bytes.TrimSpace(r.body); len(body) > 0 {
			body = decoded(body, "")
			sdpFields(c, body)
			markupFields(c, body)
			c.addText("body", bodyText(body))
		}
		if raw = r.rest; len(raw) == 0 {
			break
		}
	}
	return c.fields
}

// maxLines bounds the lines of a session description that are read.
const maxLines = 512

func sdpFields(c *collector, body []byte) {
	attributes := 0
	for range maxLines {
		if len(body) == 0 {
			return
		}
		var line []byte
		line, body = cutLine(body)
		if len(line) < 3 || line[1] != '=' {
			continue
		}
		value := line[2:]
		switch line[0] {
		case 's':
			c.addOnce("sdp.session", value)
		case 'i':
			c.addOnce("sdp.info", value)
		case 'o':
			c.addOnce("sdp.origin", value)
		case 'a':
			if attributes++; attributes > maxAttributes {
				continue
			}
			if hasPrefixFold(value, "tool:") {
				c.addOnce("sdp.tool", value[len("tool:"):])
			}
			c.addOnce("sdp.attribute", value)
		}
	}
}
