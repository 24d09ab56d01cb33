package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

func TestCtrlCEndsALongCheck(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	working, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() { <-working; cancel() }()
	var out bytes.Buffer
	err := checked(ctx, streams{out: &out}, []string{"large.yml"}, func(...string) []error {
		close(working)
		<-done
		return nil
	})
	var status statusError
	if !errors.As(err, &status) || status.status != exitInterrupted || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}
