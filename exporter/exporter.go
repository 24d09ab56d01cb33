// Package exporter is what others see of a census: the metrics, the HTTP API,
// the live stream and the page. It reads one immutable Snapshot at a time and
// changes things only through the Agent that its user hands it.
package exporter
