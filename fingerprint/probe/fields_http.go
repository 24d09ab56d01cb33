package probe

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"

	"camcensus/discovery"
)

// response is one HTTP or RTSP response as found in a record.
type response struct {
	proto   []byte // "HTTP/1.1", empty when the status line is missing
	status  []byte
	reason  []byte
	headers []header
	body    []byte
	rest    []byte // what follows: the next response
}

// header is one line of a head. padding is how many blanks stand between the
// colon and the value: some servers are known by it.
type header struct {
	name, value []byte
	padding     int
}

// get returns the first header of that name, given in lower case.
func (r *response) get(lower string) []byte {
	for i := range r.headers {
		if len(r.headers[i].name) == len(lower) && hasPrefixFold(r.headers[i].name, lower) {
			return r.headers[i].value
		}
	}
	return nil
}

// parseResponse reads a status line, headers and a body as leniently as
// devices write them: LF-only line ends, no status line, folded headers, a
// second response behind the first.
func parseResponse(raw []byte) response {
	var r response
	if bytes.IndexByte(raw, '\n') < 0 && bytes.Contains(raw, []byte(`\r\n`)) { // line ends written out
		raw = bytes.ReplaceAll(raw, []byte(`\r\n`), []byte("\r\n"))
	}
	raw = behindRequest(bytes.TrimLeft(raw, "\r\n"))
	line, rest := cutLine(raw)
	switch {
	case isStatusLine(line):
		r.proto, r.status, r.reason = splitStatus(line)
		raw = rest
	case !looksLikeHeader(line):
		r.body = raw
		return r
	}
	raw = r.readHeaders(raw)
	r.readBody(raw)
	return r
}

// behindRequest skips the request that some recorders keep before the answer.
func behindRequest(raw []byte) []byte {
	line, _ := cutLine(raw[:min(len(raw), maxHeadValue)])
	if !bytes.HasSuffix(line, []byte(" HTTP/1.1")) && !bytes.HasSuffix(line, []byte(" HTTP/1.0")) && !bytes.HasSuffix(line, []byte(" RTSP/1.0")) {
		return raw
	}
	for _, mark := range [...]string{"\nHTTP/", "\nRTSP/"} {
		if i := bytes.Index(raw, []byte(mark)); i >= 0 {
			return raw[i+1:]
		}
	}
	return raw
}

func (r *response) readHeaders(raw []byte) []byte {
	for len(raw) > 0 {
		line, rest := cutLine(raw)
		if len(line) == 0 {
			return rest
		}
		if (line[0] == '<' || line[0] == '{') && !looksLikeHeader(line) {
			return raw // the page began without a blank line
		}
		raw = rest
		if (line[0] == ' ' || line[0] == '\t') && len(r.headers) > 0 {
			last := &r.headers[len(r.headers)-1]
			if len(last.value) < maxHeadValue { // a folded header
				last.value = bytes.Join([][]byte{last.value, bytes.TrimSpace(line)}, []byte{' '})
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || len(r.headers) >= maxHeaders || !isToken(bytes.TrimSpace(name)) {
			continue
		}
		trimmed := bytes.TrimLeft(value, " ")
		r.headers = append(r.headers, header{bytes.TrimSpace(name), bytes.TrimSpace(trimmed), len(value) - len(trimmed)})
	}
	return nil
}

// readBody splits what follows the head into the body and the next response.
func (r *response) readBody(raw []byte) {
	r.body = raw
	if n, ok := number(r.get("content-length")); ok && n < len(raw) && startsAnswer(raw[n:]) {
		r.body, r.rest = raw[:n], raw[n:]
		return
	}
	if startsAnswer(raw) {
		r.body, r.rest = nil, raw
		return
	}
	if hasPrefixFold(r.proto, "rtsp") {
		if i := nextAnswer(raw, "\nRTSP/"); i >= 0 {
			r.body, r.rest = raw[:i], raw[i:]
		}
	}
}

// startsAnswer tells whether another response begins here.
func startsAnswer(b []byte) bool {
	line, _ := cutLine(bytes.TrimLeft(b, "\r\n"))
	return isStatusLine(line)
}

func nextAnswer(b []byte, mark string) int {
	i := bytes.Index(b, []byte(mark))
	if i < 0 || !startsAnswer(b[i:]) {
		return -1
	}
	return i
}

// cutLine returns the first line without its end, and what follows it.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

func isStatusLine(line []byte) bool {
	return hasPrefixFold(line, "http/") || hasPrefixFold(line, "rtsp/")
}

func splitStatus(line []byte) (proto, status, reason []byte) {
	proto, after, _ := bytes.Cut(line, []byte{' '})
	status, reason, _ = bytes.Cut(bytes.TrimLeft(after, " "), []byte{' '})
	return proto, status, reason
}

// looksLikeHeader tells "Name: value" from the first line of a page.
func looksLikeHeader(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	return i > 0 && isToken(line[:i])
}

// isToken tells a header's name; RFC 9110 allows more than devices use.
func isToken(name []byte) bool {
	if len(name) == 0 || len(name) > maxName {
		return false
	}
	for _, c := range name {
		if !isAlnum(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func number(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func httpFields(path string, raw []byte) []discovery.Field {
	c := newCollector(16)
	for range maxAnswers {
		r := parseResponse(raw)
		r.headFields(c)
		r.capitals(c)
		r.pageFields(c, path)
		if raw = r.rest; len(raw) == 0 {
			break
		}
	}
	return c.fields
}

// headFields are what HTTP and RTSP heads have in common.
func (r *response) headFields(c *collector) {
	c.add("status", r.status)
	for _, h := range r.headers {
		switch name := lowerHeader(h.name); name {
		case "server", "location":
			c.addUpTo(name, h.value, maxHeadValue)
		case "www-authenticate":
			challengeFields(c, h.value)
		case "date":
			if hasPrefixFold(r.proto, "rtsp") {
				c.add("date", h.value)
				if h.padding > 1 {
					c.addText("date.padding", strconv.Itoa(h.padding))
				}
			}
		case "public":
			if hasPrefixFold(r.proto, "rtsp") {
				c.add("public", h.value)
				continue
			}
			c.add("header.public", h.value)
		case "", "content-length", "expires", "age":
			// says nothing about the maker
		default:
			c.addUpTo("header."+name, h.value, maxHeadValue)
		}
	}
}

// minCapital leaves out the names that anybody writes in capitals (P3P, DAV).
const minCapital = 6

// capitals keeps the names of the lines that are written in capitals only, in
// their order: few servers do, and each has its own.
func (r *response) capitals(c *collector) {
	var names []byte
	for _, h := range r.headers {
		if len(h.name) < minCapital || !isCapital(h.name) {
			continue
		}
		if len(names) > 0 {
			names = append(names, ',')
		}
		names = append(names, h.name...)
	}
	c.add("capitals", names)
}

func isCapital(name []byte) bool {
	for _, b := range name {
		if b >= 'a' && b <= 'z' {
			return false
		}
	}
	return true
}

// lowerHeader returns the name in lower case; the usual ones cost nothing.
func lowerHeader(name []byte) string {
	for _, usual := range usualHeaders {
		if len(name) == len(usual) && hasPrefixFold(name, usual) {
			return usual
		}
	}
	return text(bytes.ToLower(name), maxName)
}

var usualHeaders = [...]string{
	"server", "date", "content-type", "content-length", "connection", "cache-control",
	"www-authenticate", "location", "pragma", "expires", "cseq", "public", "set-cookie",
	"last-modified", "etag", "accept-ranges", "x-frame-options", "age",
}

// challengeFields reads the schemes and realms of a WWW-Authenticate value,
// which may hold several challenges.
func challengeFields(c *collector, value []byte) {
	switch {
	case hasPrefixFold(value, "digest"):
		c.addOnce("auth", []byte("digest"))
	case hasPrefixFold(value, "basic"):
		c.addOnce("auth", []byte("basic"))
	default:
		scheme, _, _ := bytes.Cut(value, []byte{' '})
		c.addOnce("auth", bytes.ToLower(scheme))
	}
	for rest := value; len(rest) > 0; {
		i := indexFold(rest, "realm")
		if i < 0 {
			return
		}
		named, ok := bytes.CutPrefix(bytes.TrimLeft(rest[i+5:], " "), []byte{'='})
		if !ok || i > 0 && isAlnum(rest[i-1]) {
			rest = rest[i+5:]
			continue
		}
		if i > 7 && hasPrefixFold(rest[i-7:], "digest ") {
			c.addOnce("auth", []byte("digest"))
		} else if i > 6 && hasPrefixFold(rest[i-6:], "basic ") {
			c.addOnce("auth", []byte("basic"))
		}
		var realm []byte
		realm, rest = quoted(named)
		c.addOnce("realm", realm)
		if mac, ok := macInRealm(realm); ok {
			c.addOnce("mac", mac)
		}
	}
}

// quoted reads a quoted string or a token, and returns what follows it.
func quoted(b []byte) (value, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 {
		return nil, nil
	}
	quote := b[0]
	if quote != '"' && quote != '\'' {
		end := bytes.IndexByte(b, ',')
		if end < 0 {
			end = len(b)
		}
		return b[:end], b[end:]
	}
	b = b[1:]
	end := bytes.IndexByte(b, quote)
	if end < 0 {
		return b, nil
	}
	if bytes.IndexByte(b[:end], '\\') < 0 {
		return b[:end], b[end+1:]
	}
	return unquoted(b, quote)
}

// unquoted resolves the backslash escapes of RFC 9110 section 5.6.4.
func unquoted(b []byte, quote byte) (value, rest []byte) {
	for i := 0; i < len(b) && i < 4*maxValue; i++ {
		switch {
		case b[i] == '\\' && i+1 < len(b):
			i++
			value = append(value, b[i])
		case b[i] == quote:
			return value, b[i+1:]
		default:
			value = append(value, b[i])
		}
	}
	return value, nil
}

// pageFields reads an HTTP body.
func (r *response) pageFields(c *collector, path string) {
	body := r.decodedBody()
	if len(bytes.TrimSpace(body)) == 0 {
		if len(r.status) > 0 && len(r.rest) == 0 {
			c.addText("body.empty", "true")
		}
		return
	}
	body = decoded(body, charsetOf(string(r.get("content-type")), body))
	markupFields(c, body)
	jsonFields(c, body)
	r.documentFields(c, path, body)
	r.cgiFields(c, path, body)
	c.addText("body", bodyText(body))
}

// decodedBody undoes the transfer and content codings as far as they can be
// undone; what does not decode stays as it came.
func (r *response) decodedBody() []byte {
	body := r.body
	if indexFold(r.get("transfer-encoding"), "chunked") >= 0 {
		body = dechunked(body)
	}
	if len(body) > 2 && body[0] == 0x1f && body[1] == 0x8b {
		if plain := inflated(body, gzipReader); len(plain) > 0 {
			return plain
		}
	} else if indexFold(r.get("content-encoding"), "deflate") >= 0 {
		if plain := inflated(body, zlib.NewReader); len(plain) > 0 {
			return plain
		}
	}
	if len(body) > maxBody {
		body = body[:maxBody]
	}
	return body
}

func gzipReader(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

func inflated(body []byte, open func(io.Reader) (io.ReadCloser, error)) []byte {
	z, err := open(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	defer z.Close()
	plain, _ := io.ReadAll(io.LimitReader(z, maxBody)) // a cut stream still gives its beginning
	return plain
}

// dechunked undoes chunked coding (RFC 9112 section 7.1). A body that is not
// chunked after all, as some devices send it, comes back unchanged.
func dechunked(b []byte) []byte {
	out := make([]byte, 0, min(len(b), maxBody))
	for whole := b; ; {
		line, rest := cutLine(b)
		size, ok := chunkSize(line)
		if !ok {
			if len(out) == 0 {
				return whole
			}
			return out
		}
		if size == 0 {
			return out
		}
		if size > len(rest) {
			size = len(rest)
		}
		out = append(out, rest[:size]...)
		b = bytes.TrimLeft(rest[size:], "\r\n")
		if len(b) == 0 || len(out) >= maxBody {
			return out
		}
	}
}

func chunkSize(line []byte) (int, bool) {
	line, _, _ = bytes.Cut(line, []byte{';'})
	n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 24)
	return int(n), err == nil
}
