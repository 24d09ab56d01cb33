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
	commands[rules.FullCommand()] = func(_ context.Context, s streams) error {
		return checked(s, *ruleFiles, fingerprint.Check(*ruleFiles...))
	}

	lists := check.Command("policy", "Check files of ban lists.")
	listFiles := lists.Arg("file", "Policy files.").Required().Strings()
	commands[lists.FullCommand()] = func(_ context.Context, s streams) error {
		return checked(s, *listFiles, policy.Check(*listFiles...))
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

func checked(s streams, files []string, faults []error) error {
	if len(faults) > 0 {
		return statusError{exitUsage, errors.Join(faults...)}
	}
	for _, f := range files {
		fmt.Fprintf(s.out, "%s: good\n", f)
	}
	return nil
}
