package probe

import (
	"context"
	"fmt"
	"strings"
)

// upnp fetches a device description: a LOCATION at the host that answered, or
// the one a maker keeps on its web port.
func (a *asking) upnp(ctx context.Context) error {
	raw, truncated, err := a.fetch(ctx, nil)
	r := answerIn(raw)
	a.readStatus(r)
	if a.answer.Status == 200 {
		if body := r.decodedBody(); indexFold(body, "<device") >= 0 {
			a.note("upnp", body, truncated)
		} else if err == nil {
			return fmt.Errorf("%s%s is no device description", a.host(), a.q.Path)
		}
	}
	return err
}

// plainDescription tells whether a LOCATION's path looks like what it should
// be, a static description: a device must not choose what else we ask for.
func plainDescription(path string) bool {
	if len(path) > 96 || !strings.HasPrefix(path, "/") || !strings.HasSuffix(strings.ToLower(path), ".xml") || strings.Contains(path, "..") {
		return false
	}
	for _, c := range []byte(path) {
		if !isAlnum(c) && !strings.ContainsRune("/._-", rune(c)) {
			return false
		}
	}
	return true
}
