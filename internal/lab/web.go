package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
)

var soapAction = regexp.MustCompile(`<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)`)

// serveWeb answers requests until the other side closes or asks for it.
func (v *voice) serveWeb(c net.Conn, r *bufio.Reader, s *Scene, w *Web) {
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(io.LimitReader(req.Body, 64<<10))
		route := w.route(req, string(body))
		answer, err := route.render(s)
		if err != nil {
			answer = &rendered{status: 500}
		}
		if !v.say(c, answer.http(w, s, req)) || req.Close {
			return
		}
	}
}

// route finds what the server says to a request.
func (w *Web) route(req *http.Request, body string) *Route {
	uri := req.URL.RequestURI()
	candidates := []string{req.Method + " " + uri, uri, req.Method + " " + req.URL.Path, req.URL.Path}
	for dir := req.URL.Path; strings.Contains(dir, "/"); {
		dir = dir[:strings.LastIndex(dir, "/")]
		candidates = append(candidates, req.Method+" "+dir+"/*", dir+"/*")
	}
	for _, key := range append(candidates, "*") {
		if r := w.Routes[key]; r != nil {
			return r.action(body)
		}
	}
	return &Route{Status: 404, Type: "text/html", Body: "<html><head><title>404 Not Found</title></head><body>Not Found</body></html>"}
}

// action chooses by the operation that a SOAP body asks for.
func (r *Route) action(body string) *Route {
	if r.Actions == nil {
		return r
	}
	name := ""
	if m := soapAction.FindStringSubmatch(body); m != nil {
		name = m[1]
	}
	if chosen := r.Actions[name]; chosen != nil {
		return chosen
	}
	if other := r.Actions["*"]; other != nil {
		return other
	}
	return r
}

// rendered is a route whose templates have been filled.
type rendered struct {
	status  int
	reason  string
	headers []string
	body    []byte
}

func (r *Route) render(s *Scene) (*rendered, error) {
	out := &rendered{status: r.Status, reason: r.Reason}
	if out.status == 0 {
		out.status = 200
	}
	for _, h := range r.Headers {
		line, err := s.text(h)
		if err != nil {
			return nil, err
		}
		out.headers = append(out.headers, line)
	}
	if r.Type != "" {
		out.headers = append(out.headers, "Content-Type: "+r.Type)
	}
	var err error
	if out.body, err = s.bytes(r.Body, r.Hex, false); err != nil {
		return nil, err
	}
	for _, inner := range r.Actions {
		if inner == nil {
			continue
		}
		if _, err := inner.render(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// http gives the response as the device sends it, its own headers first.
func (r *rendered) http(w *Web, s *Scene, req *http.Request) []byte {
	reason := r.reason
	if reason == "" {
		reason = http.StatusText(r.status)
	}
	lines := []string{fmt.Sprintf("HTTP/1.1 %d %s", r.status, reason)}
	for _, h := range w.Headers {
		if line, err := s.text(h); err == nil {
			lines = append(lines, line)
		}
	}
	lines = append(lines, r.headers...)
	if !hasHeader(lines, "Content-Length") {
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(r.body)))
	}
	if req.Close && !hasHeader(lines, "Connection") {
		lines = append(lines, "Connection: close")
	}
	body := r.body
	if req.Method == http.MethodHead {
		body = nil
	}
	return joined(lines, body, w.BareLF)
}

func joined(lines []string, body []byte, bareLF bool) []byte {
	end := "\r\n"
	if bareLF {
		end = "\n"
	}
	return append([]byte(strings.Join(lines, end)+end+end), body...)
}

func hasHeader(lines []string, name string) bool {
	for _, line := range lines {
		if key, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// serveRTSP answers RTSP requests (RFC 2326): the status line, CSeq, then what the method's route says.
func (v *voice) serveRTSP(c net.Conn, r *bufio.Reader, s *Scene) {
	lines := textproto.NewReader(r)
	for {
		first, err := lines.ReadLine()
		if err != nil {
			return
		}
		header, err := lines.ReadMIMEHeader()
		if err != nil {
			return
		}
		method, _, _ := strings.Cut(first, " ")
		route := v.RTSP.Methods[method]
		if route == nil {
			route = v.RTSP.Methods["*"]
		}
		if route == nil {
			route = &Route{Status: 405, Reason: "Method Not Allowed"}
		}
		answer, err := route.render(s)
		if err != nil || !v.say(c, answer.rtsp(v.RTSP, s, header.Get("Cseq"))) {
			return
		}
		if strings.EqualFold(header.Get("Connection"), "close") {
			return
		}
	}
}

func (r *rendered) rtsp(server *RTSP, s *Scene, cseq string) []byte {
	reason := r.reason
	if reason == "" {
		reason = http.StatusText(r.status)
	}
	lines := []string{fmt.Sprintf("RTSP/1.0 %d %s", r.status, reason), "CSeq: " + cseq}
	for _, h := range server.Headers {
		if line, err := s.text(h); err == nil {
			lines = append(lines, line)
		}
	}
	lines = append(lines, r.headers...)
	if len(r.body) > 0 {
		lines = append(lines, "Content-Length: "+strconv.Itoa(len(r.body)))
	}
	return joined(lines, r.body, false)
}
