package exporter

// inFrench holds every sentence of the page; a test finds the missing ones.
var inFrench = map[string]string{}
