package probe

import "bytes"

// markupFields reads the title, the generator and the other meta tags of a
// page in one pass over its tags.
func markupFields(c *collector, page []byte) {
	titles, metas := 0, 0
	for rest := page; titles < 2 || metas < 12; {
		i := bytes.IndexByte(rest, '<')
		if i < 0 || i+7 > len(rest) {
			return
		}
		rest = rest[i+1:]
		switch rest[0] | 0x20 {
		case 't':
			if titles < 2 && hasPrefixFold(rest, "title") && !isAlnum(rest[5]) {
				titles++
				rest = titleField(c, rest[5:])
			}
		case 'm':
			if metas < 12 && hasPrefixFold(rest, "meta") && !isAlnum(rest[4]) {
				metas++
				metaField(c, rest[4:])
			}
		}
	}
}

// titleField keeps the text of a title element; tag begins behind its name.
func titleField(c *collector, tag []byte) (rest []byte) {
	start := bytes.IndexByte(tag, '>')
	if start < 0 {
		return nil
	}
	content := tag[start+1:]
	end := bytes.IndexByte(content, '<')
	if end < 0 {
		end = min(len(content), 4*maxTitle) // a page cut short
	}
	if end > 4*maxTitle {
		end = 4 * maxTitle
	}
	c.addUpTo("title", unescaped(content[:end]), maxTitle)
	return content[end:]
}

// metaField keeps <meta name=... content=...> and the target of a refresh.
func metaField(c *collector, tag []byte) {
	end := bytes.IndexByte(tag, '>')
	if end < 0 || end > 4*maxHeadValue {
		return
	}
	tag = tag[:end]
	content := attribute(tag, "content")
	if len(content) == 0 {
		return
	}
	if name := attribute(tag, "name"); len(name) > 0 && isToken(name) {
		key := text(bytes.ToLower(name), maxName)
		if key == "generator" {
			c.add("generator", unescaped(content))
			return
		}
		c.add("meta."+key, unescaped(content))
		return
	}
	if indexFold(attribute(tag, "http-equiv"), "refresh") == 0 {
		if i := indexFold(content, "url="); i >= 0 {
			c.add("refresh", bytes.Trim(content[i+4:], `"' `))
		}
	}
}

// attribute returns one attribute of a tag, quoted or not.
func attribute(tag []byte, lower string) []byte {
	for rest := tag; ; {
		i := indexFold(rest, lower)
		if i < 0 {
			return nil
		}
		before := i == 0 || rest[i-1] <= ' ' || rest[i-1] == '"' || rest[i-1] == '\''
		rest = bytes.TrimLeft(rest[i+len(lower):], " \t\r\n")
		if !before || len(rest) == 0 || rest[0] != '=' {
			continue
		}
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
		if len(rest) == 0 {
			return nil
		}
		if quote := rest[0]; quote == '"' || quote == '\'' {
			value, _, _ := bytes.Cut(rest[1:], []byte{quote})
			return value
		}
		end := 0
		for end < len(rest) && rest[end] > ' ' {
			end++
		}
		return rest[:end]
	}
}
