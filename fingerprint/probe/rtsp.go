package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// rtsp puts OPTIONS and DESCRIBE on one connection, for the fixed path "/".
// No session is set up, so none is left behind. Both answers make one record.
func (a *asking) rtsp(ctx context.Context) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var said []byte
	cut := false
	for i, method := range []string{"OPTIONS", "DESCRIBE"} {
		if i > 0 && !pause(ctx, between) {
			break
		}
		raw, truncated, askErr := a.exchange(conn, conn.deadline, a.rtspRequest(method, i+1), true)
		said, cut = append(said, raw...), cut || truncated
		if !isStatusLine(raw) {
			err = askErr
			if err == nil {
				err = fmt.Errorf("%s does not speak RTSP", a.host())
			}
			break
		}
		a.readStatus(parseResponse(raw))
		if err = askErr; err != nil || !hasPrefixFold(raw, "rtsp/") {
			break
		}
	}
	if isStatusLine(said) {
		a.note("rtsp", said, cut)
		if a.answer.Requests == 2 && closedBetween(err) {
			err = nil // some hang up after a 401: the first answer serves
		}
	}
	return err
}

func (a *asking) rtspRequest(method string, seq int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s rtsp://%s%s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: %s\r\n", method, a.rtspHost(), a.request.Path, seq, a.userAgent)
	if method == "DESCRIBE" {
		b.WriteString("Accept: application/sdp\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// closedBetween tells whether the connection ended while nothing was due.
func closedBetween(err error) bool {
	return errors.Is(err, errEmpty) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
