package discovery

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryWaitsEverLongerAndStartsAnewAfterSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		Retry(t.Context(), func() error {
			at = append(at, time.Since(began))
			switch len(at) {
			case 9:
				time.Sleep(time.Hour) // it worked for an hour
			case 10:
				return nil
			}
			return errors.New("no")
		})
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183, 183 + 3600 + 1}
		for n := range want {
			want[n] *= time.Second
		}
		if !slices.Equal(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithTimeout(t.Context(), 5*time.Second)
		defer end()
		tries := 0
		Retry(ctx, func() error { tries++; return errors.New("no") })
		if tries != 3 {
			t.Errorf("%d tries in five seconds", tries)
		}
	})
}
