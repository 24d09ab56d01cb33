package probe

import (
	"bytes"
	"context"
)

// isapi asks Hikvision's own paths. A refusal speaks by its realm, so it is
// kept as a web answer; what is answered is kept as XML.
func (a *asking) isapi(ctx context.Context) error {
	raw, truncated, err := a.fetch(ctx, nil)
	if err == nil && a.q.Login {
		raw, truncated, err = a.digestLogin(ctx, raw)
	}
	if len(raw) == 0 {
		return err
	}
	r := answerIn(raw)
	a.readStatus(r)
	body := r.decodedBody()
	if a.answer.Status == 200 && bytes.HasPrefix(bytes.TrimLeft(body, "\xef\xbb\xbf\r\n\t "), []byte{'<'}) && indexFold(body[:min(len(body), 1024)], "<html") < 0 {
		a.note("isapi", body, truncated)
		return err
	}
	a.note(a.webKind(), raw, truncated)
	return err
}

// webKind is the record kind of an answer kept with its head.
func (a *asking) webKind() string {
	if a.q.TLS {
		return "https"
	}
	return "http"
}
