package discovery

import (
	"context"
	"time"
)

// The pauses of Retry. What fails now may work in a moment, when a daemon has
// let go of a port; what goes on failing costs one system call a minute.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
)

// Retry calls try until it returns nil or ctx ends, after ever longer pauses. A
// try that had worked for a while before it failed is made again soon.
func Retry(ctx context.Context, try func() error) {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		begun := time.Now()
		if try() == nil {
			return
		}
		if time.Since(begun) > retryMost {
			pause = retryFirst
		}
		if Sleep(ctx, pause) != nil {
			return
		}
	}
}
