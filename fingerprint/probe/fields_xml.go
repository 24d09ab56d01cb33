package probe

import "bytes"

const (
	maxDepth    = 48
	maxElements = 4096
)

// element is one leaf of an XML text: its local name, that of its parent, and
// what stands between its tags, with references resolved.
type element struct {
	name, parent []byte
	grandparent  []byte
	text         []byte
}

// scanner walks the tags of an XML text. It is no parser: devices send
// undeclared prefixes, wrong charsets, raw ampersands and texts that break
// off, and every one of these still yields the elements that are whole.
type scanner struct {
	leaf func(element)
	// open is told each start tag: its local name and attributes.
	open func(name, attributes []byte)

	stack [maxDepth][]byte
	depth int
	// crossed: an end tag closes another element than the one that is open. Two
	// answers have run into each other, or a piece is missing.
	crossed bool
}

func (s *scanner) scan(b []byte) {
	leafStart := -1 // where the text of the innermost open element begins
	for pos, seen := 0, 0; seen < maxElements; seen++ {
		i := bytes.IndexByte(b[pos:], '<')
		if i < 0 {
			return
		}
		tag := pos + i
		switch {
		case bytes.HasPrefix(b[tag:], []byte("<!--")):
			pos = after(b, tag, "-->")
		case bytes.HasPrefix(b[tag:], []byte("<![CDATA[")):
			pos = after(b, tag, "]]>")
		case tag+1 < len(b) && (b[tag+1] == '?' || b[tag+1] == '!'):
			pos = after(b, tag, ">")
		case tag+1 < len(b) && b[tag+1] == '/':
			s.close(b, tag, leafStart)
			leafStart = -1
			pos = after(b, tag, ">")
		default:
			end := tagEnd(b, tag)
			if end < 0 {
				return
			}
			leafStart = s.begin(b[tag+1:end], end+1)
			pos = end + 1
		}
		if pos < 0 || pos >= len(b) {
			return
		}
	}
}

// begin handles a start tag and returns where its text begins, or -1 for an
// empty element.
func (s *scanner) begin(tag []byte, next int) int {
	empty := len(tag) > 0 && tag[len(tag)-1] == '/'
	if empty {
		tag = tag[:len(tag)-1]
	}
	name, attributes := splitTag(tag)
	if len(name) == 0 {
		return -1
	}
	if s.open != nil {
		s.open(name, attributes)
	}
	if empty {
		return -1
	}
	if s.depth < maxDepth {
		s.stack[s.depth] = name
	}
	s.depth++
	return next
}

// close handles an end tag: an element that held no other is a leaf.
func (s *scanner) close(b []byte, tag, leafStart int) {
	if s.depth == 0 {
		return
	}
	s.depth--
	if s.depth < maxDepth {
		if end := bytes.IndexByte(b[tag:], '>'); end >= 0 {
			name, _ := splitTag(b[tag+2 : tag+end])
			s.crossed = s.crossed || !bytes.EqualFold(name, s.stack[s.depth])
		}
	}
	if leafStart < 0 || s.depth >= maxDepth || s.leaf == nil {
		return
	}
	e := element{name: s.stack[s.depth], text: elementText(b[leafStart:tag])}
	if s.depth > 0 {
		e.parent = s.stack[s.depth-1]
	}
	if s.depth > 1 {
		e.grandparent = s.stack[s.depth-2]
	}
	s.leaf(e)
}

// damage adds what keeps an answer from being more than a hint.
func (s *scanner) damage(c *collector) {
	if s.crossed {
		c.add("truncated", []byte("true"))
	}
}

// tagEnd finds the > of a start tag, past quoted attributes.
func tagEnd(b []byte, from int) int {
	quote := byte(0)
	for i := from + 1; i < len(b); i++ {
		switch c := b[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}

func after(b []byte, from int, mark string) int {
	i := bytes.Index(b[from:], []byte(mark))
	if i < 0 {
		return -1
	}
	return from + i + len(mark)
}

// splitTag returns the local name and the attributes of a tag.
func splitTag(tag []byte) (name, attributes []byte) {
	end := 0
	for end < len(tag) && tag[end] > ' ' {
		end++
	}
	name = tag[:end]
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	return name, tag[end:]
}

// elementText resolves CDATA and references.
func elementText(b []byte) []byte {
	b = bytes.TrimSpace(b)
	if len(b) > 4*maxHeadValue {
		b = b[:4*maxHeadValue]
	}
	if bytes.HasPrefix(b, []byte("<![CDATA[")) {
		b = bytes.TrimSuffix(b[len("<![CDATA["):], []byte("]]>"))
		return bytes.TrimSpace(b)
	}
	if bytes.IndexByte(b, '&') >= 0 {
		return unescaped(b)
	}
	return b
}

// is compares an element's name, whatever the case.
func is(name []byte, lower string) bool {
	return len(name) == len(lower) && hasPrefixFold(name, lower)
}

// isXMLNS tells a namespace declaration, and eachAttribute walks them all.
func eachAttribute(attributes []byte, yield func(name, value []byte)) {
	for range maxAttributes {
		i := bytes.IndexByte(attributes, '=')
		if i < 0 {
			return
		}
		name := bytes.TrimSpace(attributes[:i])
		attributes = bytes.TrimLeft(attributes[i+1:], " \t\r\n")
		if len(attributes) == 0 || attributes[0] != '"' && attributes[0] != '\'' {
			return
		}
		value, rest, ok := bytes.Cut(attributes[1:], attributes[:1])
		if !ok {
			return
		}
		yield(name, value)
		attributes = rest
	}
}
