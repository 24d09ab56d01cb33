package probe

import (
	"bytes"
	"strconv"
)

const maxLeaves = 48

// jsonLeaves calls yield for every "name": scalar pair of a JSON text, the
// name without its place in the tree. It is a scanner, not a parser: a text
// that breaks off still gives what came before.
func jsonLeaves(b []byte, yield func(name, value []byte) bool) {
	leaves := 0
	for leaves < maxLeaves {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return
		}
		name, rest := jsonString(b[i+1:])
		after := bytes.TrimLeft(rest, " \t\r\n")
		if len(after) == 0 {
			return
		}
		if after[0] != ':' {
			b = rest
			continue
		}
		b = bytes.TrimLeft(after[1:], " \t\r\n")
		if len(b) == 0 {
			return
		}
		var value []byte
		switch {
		case b[0] == '"':
			value, b = jsonString(b[1:])
		case b[0] == '{' || b[0] == '[':
			continue
		default:
			end := bytes.IndexAny(b, ",}] \t\r\n")
			if end < 0 {
				return
			}
			value, b = b[:end], b[end:]
		}
		leaves++
		if !yield(name, value) {
			return
		}
	}
}

// jsonString reads up to the closing quote; escapes are resolved when there
// are any.
func jsonString(b []byte) (value, rest []byte) {
	end := 0
	escaped := false
	for end < len(b) && b[end] != '"' {
		if b[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	if end >= len(b) {
		return nil, nil // broken off: not to be trusted
	}
	value, rest = b[:end], b[end+1:]
	if escaped {
		if s, err := strconv.Unquote(`"` + string(bytes.ReplaceAll(value, []byte(`\/`), []byte("/"))) + `"`); err == nil {
			value = []byte(s)
		}
	}
	return value, rest
}

// jsonFields keeps the scalars of a JSON answer as json.NAME.
func jsonFields(c *collector, body []byte) {
	body = bytes.TrimLeft(body, "\r\n\t ")
	if len(body) == 0 || body[0] != '{' && body[0] != '[' {
		return
	}
	jsonLeaves(body, func(name, value []byte) bool {
		if isToken(name) {
			c.add("json."+text(bytes.ToLower(name), maxName), value)
		}
		return true
	})
}
