//go:build !linux

package discovery

import "fmt"

// Interfaces lists the system's interfaces.
func Interfaces() ([]Interface, error) {
	all, err := netInterfaces()
	if err != nil {
		return nil, fmt.Errorf("discovery: list interfaces: %w", err)
	}
	return all, nil
}
