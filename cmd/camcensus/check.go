package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"camcensus/fingerprint"
	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/policy"
)

func addCheck(app *kingpin.Application, commands map[string]action) {
	check := app.Command("check", "Say what is wrong with a file, with line and reason.")
	conf := check.Command("config", "Check a configuration; print its scope and how long a cycle takes.")
	confFile := conf.Arg("file", "Configuration file.").Required().String()
	commands[conf.FullCommand()] = func(_ context.Context, s streams) error { return checkConfig(s, *confFile) }

	rules := check.Command("rules", "Check files of fingerprint rules, with their examples.")
	ruleFiles := rules.Arg("file", "Rule files.").Required().Strings()
	commands[rules.FullCommand()] = func(ctx context.Context, s streams) error {
		return checked(ctx, s, *ruleFiles, fingerprint.Check)
	}

	lists := check.Command("policy", "Check files of ban lists.")
	listFiles := lists.Arg("file", "Policy files.").Required().Strings()
	commands[lists.FullCommand()] = func(ctx context.Context, s streams) error {
		return checked(ctx, s, *listFiles, policy.Check)
	}
}

func checkConfig(s streams, path string) error {
	c, err := config.Load(path)
	if err != nil {
		return statusError{exitUsage, err}
	}
	p, err := agent.NewPreview(c)
	if err != nil {
		return statusError{exitUsage, err}
	}
	fmt.Fprintf(s.out, "%s: good\n", path)
	return p.Print(s.out)
}

// checked prints what a check of files found; Ctrl-C ends a long one.
func checked(ctx context.Context, s streams, files []string, check func(...string) []error) error {
	found := make(chan []error, 1)
	go func() { found <- check(files...) }()
	select {
	case <-ctx.Done():
		return statusError{exitInterrupted, nil}
	case faults := <-found:
		if len(faults) > 0 {
			return statusError{exitUsage, errors.Join(faults...)}
		}
	}
	for _, f := range files {
		fmt.Fprintf(s.out, "%s: good\n", f)
	}
	return nil
}
