package lab_test

import (
	"testing"

	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }
