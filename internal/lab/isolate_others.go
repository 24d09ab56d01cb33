//go:build !linux

package lab

import (
	"errors"
	"fmt"
	"os"
)

var errNoNamespaces = errors.New("lab: network namespaces are a Linux feature (needs Linux)")

// Isolate fails: a test that needs a network of its own needs Linux.
func Isolate(interface{ Run() int }) {
	fmt.Fprintln(os.Stderr, errNoNamespaces)
	os.Exit(1)
}

// Enter fails: network namespaces are a Linux feature.
func Enter() error { return errNoNamespaces }
