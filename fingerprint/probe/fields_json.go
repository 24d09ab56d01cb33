package probe

import (
	"bytes"
	"strconv"
)

const maxLeaves = 48

// jsonLeaf is one "name": scalar pair of a JSON text. parent is the name of the
// object that holds it, depth how many objects do, and listed tells that a list
// stands around it: what it says is said of one of several things.
type jsonLeaf struct {
	parent, name, value []byte
	depth               int
	listed              bool
}

// jsonLeaves calls yield for every pair of a JSON text until it returns false. It
// is a scanner, not a parser: a text that breaks off still gives what came before.
func jsonLeaves(b []byte, yield func(jsonLeaf) bool) {
	var names [maxDepth][]byte // of the objects that are open
	var name []byte            // before a colon
	depth, lists := 0, 0
	for {
		i := bytes.IndexAny(b, `"{}[]`)
		if i < 0 {
			return
		}
		mark := b[i]
		b = b[i+1:]
		switch mark {
		case '{':
			if depth < maxDepth {
				names[depth] = name
			}
			depth++
			name = nil
			continue
		case '}':
			depth = max(depth-1, 0)
			continue
		case '[':
			lists++
			continue
		case ']':
			lists = max(lists-1, 0)
			continue
		}
		name, b = jsonString(b)
		after := bytes.TrimLeft(b, " \t\r\n")
		if len(after) == 0 || after[0] != ':' {
			name = nil
			continue
		}
		if b = bytes.TrimLeft(after[1:], " \t\r\n"); len(b) == 0 {
			return
		}
		leaf := jsonLeaf{name: name, depth: depth, listed: lists > 0}
		if depth > 0 && depth <= maxDepth {
			leaf.parent = names[depth-1]
		}
		switch {
		case b[0] == '"':
			leaf.value, b = jsonString(b[1:])
		case b[0] == '{' || b[0] == '[':
			continue
		default:
			end := bytes.IndexAny(b, ",}] \t\r\n")
			if end < 0 {
				return
			}
			leaf.value, b = b[:end], b[end:]
		}
		if !yield(leaf) {
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

// jsonFields keeps the scalars of a JSON answer's first and second level as
// json.NAME, and those of Axis' list of properties. What stands deeper or in a list is told of something else.
func jsonFields(c *collector, body []byte) {
	if !startsJSON(body) {
		return
	}
	leaves := 0
	jsonLeaves(body, func(leaf jsonLeaf) bool {
		axis := leaf.depth == 3 && is(leaf.parent, "propertylist")
		if leaf.listed || leaf.depth > 2 && !axis || !isToken(leaf.name) {
			return true
		}
		if is(leaf.name, "realm") && leaf.depth == 2 && !is(leaf.parent, "params") {
			return true // an entry's, not a challenge's
		}
		c.add("json."+text(bytes.ToLower(leaf.name), maxName), leaf.value)
		leaves++
		return leaves < maxLeaves
	})
}
