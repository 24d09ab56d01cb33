package probe

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
)

// digestLogin answers an HTTP Digest challenge (RFC 7616) once, with the
// account configured for the host's network. A device that only wants Basic
// gets nothing.
func (a *asking) digestLogin(ctx context.Context, challenge []byte) ([]byte, bool, error) {
	r := answerIn(challenge)
	if a.readStatus(r); a.answer.Status != 401 {
		return challenge, false, nil
	}
	login, err := a.logins.take(a.target, "isapi")
	if err != nil {
		return challenge, false, err
	}
	header, err := digestHeader(r, login, a.request.Method, a.request.Path)
	if err != nil {
		a.logins.failed(a.target)
		return challenge, false, err
	}
	raw, truncated, err := a.fetch(ctx, header)
	if a.readStatus(answerIn(raw)); a.answer.Status != 200 {
		a.logins.failed(a.target)
	}
	return raw, truncated, err
}

// digestHeader is the Authorization line for the first challenge that can be
// met.
func digestHeader(r response, login Login, method, uri string) ([]byte, error) {
	for _, h := range r.headers {
		if !strings.EqualFold(string(h.name), "www-authenticate") || !hasPrefixFold(h.value, "digest ") || len(h.value) > 2048 {
			continue
		}
		c := challengeParameters(string(h.value[len("digest "):]))
		hash := digestHash(c["algorithm"])
		if hash == nil || c["nonce"] == "" || c["qop"] != "" && !offersAuth(c["qop"]) {
			continue
		}
		cnonce := hex.EncodeToString(random(8))
		ha1 := hash(login.Username + ":" + c["realm"] + ":" + login.Password)
		ha2 := hash(method + ":" + uri)
		var b strings.Builder
		fmt.Fprintf(&b, `Authorization: Digest username="%s", realm="%s", nonce="%s", uri="%s"`, quote(login.Username), quote(c["realm"]), quote(c["nonce"]), uri)
		if c["qop"] != "" {
			fmt.Fprintf(&b, `, qop=auth, nc=00000001, cnonce="%s", response="%s"`, cnonce,
				hash(strings.Join([]string{ha1, c["nonce"], "00000001", cnonce, "auth", ha2}, ":")))
		} else {
			fmt.Fprintf(&b, `, response="%s"`, hash(ha1+":"+c["nonce"]+":"+ha2))
		}
		if c["algorithm"] != "" {
			b.WriteString(", algorithm=" + strings.ToUpper(c["algorithm"]))
		}
		if c["opaque"] != "" {
			fmt.Fprintf(&b, `, opaque="%s"`, quote(c["opaque"]))
		}
		return []byte(b.String() + "\r\n"), nil
	}
	return nil, errors.New("it asks for a login other than digest")
}

func digestHash(algorithm string) func(string) string {
	switch strings.ToUpper(algorithm) {
	case "", "MD5":
		return func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }
	case "SHA-256":
		return func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	}
	return nil
}

func offersAuth(qop string) bool {
	for part := range strings.SplitSeq(qop, ",") {
		if strings.TrimSpace(part) == "auth" {
			return true
		}
	}
	return false
}

// challengeParameters reads name=value pairs, quoted or not.
func challengeParameters(s string) map[string]string {
	parameters := map[string]string{}
	for len(parameters) < 16 {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		name = strings.ToLower(strings.Trim(name, ", \t"))
		rest = strings.TrimLeft(rest, " ")
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
		} else if i := strings.IndexByte(rest, ','); i >= 0 {
			value, rest = strings.TrimSpace(rest[:i]), rest[i:]
		} else {
			value, rest = strings.TrimSpace(rest), ""
		}
		parameters[name], s = value, rest
	}
	return parameters
}

// quote keeps what a device sent from breaking out of the quoted string or of
// the header.
func quote(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

const (
	wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	wsu  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	// passwordDigest is the only password type that is ever sent.
	passwordDigest = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
	base64Binary   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

// signEnvelope puts a WS-UsernameToken (digest) into the request. The token's
// time is the device's own, which is asked first: clocks of cameras are wrong.
func (a *asking) signEnvelope(ctx context.Context) error {
	login, err := a.logins.take(a.target, "onvif")
	if err != nil {
		return err
	}
	signed := a.request
	clock, ok := onvifRequest(signed.Path + "#GetSystemDateAndTime")
	if !ok {
		return errNoQuestion
	}
	a.request = clock
	raw, _, err := a.fetch(ctx, nil)
	a.request = signed
	if err != nil {
		return err
	}
	r := answerIn(raw)
	created := deviceTime(r.decodedBody(), a.now())
	a.request.Body = strings.Replace(signed.Body, envelopeOpen, envelopeOpen+usernameToken(login, created, random(16)), 1)
	return nil
}

func usernameToken(login Login, created time.Time, nonce []byte) string {
	at := created.UTC().Format("2006-01-02T15:04:05Z")
	sum := sha1.Sum([]byte(string(nonce) + at + login.Password))
	var b bytes.Buffer
	b.WriteString(`<s:Header><Security xmlns="` + wsse + `" s:mustUnderstand="1"><UsernameToken><Username>`)
	xml.EscapeText(&b, []byte(login.Username)) // a bytes.Buffer does not fail
	b.WriteString(`</Username><Password Type="` + passwordDigest + `">` + base64.StdEncoding.EncodeToString(sum[:]) +
		`</Password><Nonce EncodingType="` + base64Binary + `">` + base64.StdEncoding.EncodeToString(nonce) +
		`</Nonce><Created xmlns="` + wsu + `">` + at + `</Created></UsernameToken></Security></s:Header>`)
	return b.String()
}

// deviceTime reads the UTC time of a GetSystemDateAndTime answer.
func deviceTime(body []byte, otherwise time.Time) time.Time {
	i := indexFold(body, "utcdatetime")
	if i < 0 {
		return otherwise
	}
	body = body[i:]
	if end := indexFold(body[1:], "utcdatetime>"); end > 0 {
		body = body[:end]
	}
	var part [6]int
	for n, name := range []string{"year>", "month>", "day>", "hour>", "minute>", "second>"} {
		at := indexFold(body, name)
		if at < 0 {
			return otherwise
		}
		digits := body[at+len(name):]
		if end := bytes.IndexByte(digits, '<'); end >= 0 {
			digits = digits[:end]
		}
		value, ok := number(bytes.TrimSpace(digits))
		if !ok {
			return otherwise
		}
		part[n] = value
	}
	return time.Date(part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, time.UTC)
}
