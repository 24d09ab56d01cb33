//go:build !race

package inventory

const raced = false
