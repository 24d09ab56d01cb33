//go:build !linux

package main

// leaveProgramPages leaves that to the system.
func leaveProgramPages() {}
