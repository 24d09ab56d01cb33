//go:build !linux

package neighbor

import (
	"context"
	"errors"
	"runtime"

	"go.uber.org/zap"
)

func table() ([]entry, error) {
	return nil, errors.New("the neighbour table cannot be read on " + runtime.GOOS)
}

func watch(context.Context, *zap.Logger, func(entry)) error { return nil }
