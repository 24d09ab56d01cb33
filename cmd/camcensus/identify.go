package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"camcensus/internal/agent"
	"camcensus/internal/config"
)

// identifyGCPercent trades memory for speed: identify ends when it is done.
const identifyGCPercent = 300

func addIdentify(app *kingpin.Application, commands map[string]action) {
	c := app.Command("identify", "Read evidence records, print identities; no packet is sent.")
	files := c.Arg("file", "Files of evidence records; standard input without one.").Strings()
	policies := c.Flag("policy", "Policy to judge by: a shipped one's name or a file of your own (repeatable).").Strings()
	rules := c.Flag("rules", "File of your own rules (repeatable).").Strings()
	commands[c.FullCommand()] = func(_ context.Context, s streams) error {
		return identify(s, *files, *policies, *rules)
	}
}

func identify(s streams, inputs, policies, rules []string) error {
	if len(policies) == 0 {
		policies = config.Default().Policy.Lists
	}
	lists, files := byFile(policies)
	debug.SetGCPercent(identifyGCPercent)
	judge, err := agent.NewJudge(agent.JudgeOptions{Lists: lists, PolicyFiles: files, RuleFiles: rules})
	if err != nil {
		return usageError{err}
	}
	if len(judge.Unused) > 0 {
		return usageError{errors.New(judge.Unused[0])}
	}
	in, done, err := openAll(s.in, inputs)
	if err != nil {
		return err
	}
	defer done()
	out := bufio.NewWriterSize(s.out, 1<<16)
	bad, err := judge.Identify(in, out, func(err error) { fmt.Fprintf(s.err, "camcensus: %v\n", err) })
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if bad > 0 {
		return statusError{exitFailed, fmt.Errorf("unreadable lines: %d; the others are answered", bad)}
	}
	return nil
}

// byFile tells the names of shipped lists from files of one's own.
func byFile(policies []string) (lists, files []string) {
	for _, p := range policies {
		if strings.HasSuffix(p, ".yml") || strings.HasSuffix(p, ".yaml") {
			files = append(files, p)
		} else {
			lists = append(lists, p)
		}
	}
	return lists, files
}

// openAll opens the files, or gives standard input without one.
func openAll(stdin io.Reader, files []string) (in []agent.Input, done func(), err error) {
	if len(files) == 0 {
		return []agent.Input{{Name: "stdin", Reader: stdin}}, func() {}, nil
	}
	var opened []*os.File
	done = func() {
		for _, f := range opened {
			f.Close()
		}
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			done()
			return nil, nil, err
		}
		opened = append(opened, f)
		in = append(in, agent.Input{Name: path, Reader: f})
	}
	return in, done, nil
}
