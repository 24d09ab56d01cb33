// Package lab plays a site of simulated devices: each has its own addresses and answers with real packets, on a
// segment between network namespaces (for tests and benchmarks) or on loopback (for the demo). Devices are data.
package lab
