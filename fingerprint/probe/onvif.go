package probe

import (
	"context"
	"slices"
	"strings"
)

// onvif asks one operation of the device service. The answer, a fault too, is
// kept as the envelope; where none came, the web server's words are.
func (a *asking) onvif(ctx context.Context) error {
	if a.q.Login {
		if err := a.signEnvelope(ctx); err != nil {
			return err
		}
	}
	raw, truncated, err := a.fetch(ctx, nil)
	if len(raw) == 0 {
		return err
	}
	r := answerIn(raw)
	a.readStatus(r)
	if a.q.Login && a.answer.Status != 200 {
		a.logins.failed(a.target)
	}
	if body := r.decodedBody(); indexFold(body[:min(len(body), 4096)], "envelope") >= 0 {
		a.note("onvif", body, truncated)
		return err
	}
	a.note(a.webKind(), raw, truncated)
	return err
}

// onvifRequest is the request for "/onvif/device_service#GetServices": one of
// the known device services and one of the fixed operations.
func onvifRequest(path string) (Request, bool) {
	service, operation, _ := strings.Cut(path, "#")
	if !slices.Contains(onvifServices, service) {
		return Request{}, false
	}
	for _, r := range Requests {
		if r.Probe == "onvif" && r.Path == "#"+operation {
			r.Path = service
			return r, true
		}
	}
	return Request{}, false
}
