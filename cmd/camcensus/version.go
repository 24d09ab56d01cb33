package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kingpin/v2"

	"camcensus/fingerprint/oui"
)

func addVersion(app *kingpin.Application, commands map[string]action) {
	c := app.Command("version", "Print the version, and the dates of what it was built with.")
	commands[c.FullCommand()] = func(_ context.Context, s streams) error {
		fmt.Fprintln(s.out, versionText())
		return nil
	}
}

func versionText() string {
	return fmt.Sprintf("camcensus %s (revision %s, %s %s/%s, IEEE registry %s of %s)",
		version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH, oui.Version, oui.Date)
}

// revision is the commit the program was built from, as Go stamped it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, set := range info.Settings {
		if set.Key == "vcs.revision" && len(set.Value) >= 12 {
			return set.Value[:12]
		}
	}
	return "unknown"
}
