package probe

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/twmb/murmur3"
)

// icon is a favicon record, DESIGN section 9.
type icon struct {
	MMH3 int32  `json:"mmh3"` // as Shodan's http.favicon.hash
	MD5  string `json:"md5"`
}

// favicon fetches the site's icon and keeps its hashes, not the picture.
func (a *asking) favicon(ctx context.Context) error {
	raw, truncated, err := a.fetch(ctx, nil)
	r := answerIn(raw)
	a.readStatus(r)
	if err != nil {
		return err
	}
	if a.answer.Status != 200 {
		return nil
	}
	body := r.decodedBody()
	if truncated || len(body) == 0 || bytes.HasPrefix(bytes.TrimSpace(body), []byte{'<'}) && indexFold(body[:min(len(body), 512)], "<svg") < 0 {
		return nil // a page, or too long to be an icon
	}
	line, err := json.Marshal(iconOf(body))
	if err != nil {
		return fmt.Errorf("favicon of %s: %w", a.host(), err)
	}
	a.note("favicon", line, false)
	return nil
}

func iconOf(body []byte) icon {
	sum := md5.Sum(body)
	return icon{MMH3: int32(murmur3.Sum32(wrapped(body))), MD5: hex.EncodeToString(sum[:])}
}

// wrapped is base64 as MIME breaks it: a line end every 76 characters and
// behind the last, which is what Shodan hashes.
func wrapped(body []byte) []byte {
	text := base64.StdEncoding.EncodeToString(body)
	var b bytes.Buffer
	b.Grow(len(text) + len(text)/76 + 1)
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n])
		b.WriteByte('\n')
		text = text[n:]
	}
	return b.Bytes()
}
