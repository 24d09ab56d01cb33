package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/alecthomas/kingpin/v2"
	"go.yaml.in/yaml/v3"

	"camcensus/exporter"
	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
)

// scanFlags are the flags of scan.
type scanFlags struct {
	networks   []string
	configFile string
	interfaces []string
	rate       *float64
	arpRate    *float64
	format     string
	output     string
	record     string
	redact     bool
	dryRun     bool
	exitCode   int
	policies   []string
	log        logFlags
}

func addScan(app *kingpin.Application, commands map[string]action) {
	f := &scanFlags{}
	c := app.Command("scan", "Run one cycle and print what was found. Arguments are the scope.")
	c.Arg("network", "Networks to look at: prefixes, addresses, or connected.").StringsVar(&f.networks)
	c.Flag("config.file", "Configuration file.").StringVar(&f.configFile)
	c.Flag("interface", "Interface to use (repeatable).").StringsVar(&f.interfaces)
	optionalFloat(c.Flag("rate", "Packets per second, all sources together (0 = no limit)."), &f.rate)
	optionalFloat(c.Flag("arp-rate", "ARP requests per second (0 = no limit)."), &f.arpRate)
	c.Flag("format", "Form of the result.").Default("table").EnumVar(&f.format, "table", "json", "jsonl", "csv")
	c.Flag("output", "Write the result to this file.").StringVar(&f.output)
	c.Flag("record", "Write the evidence to this file, one JSON object a line.").StringVar(&f.record)
	c.Flag("redact", "Leave names, serials and MAC tails out of the recorded evidence.").BoolVar(&f.redact)
	c.Flag("dry-run", "Print what would be sent to whom; send nothing.").BoolVar(&f.dryRun)
	c.Flag("exit-code", "Exit status when a flagged device was found.").IntVar(&f.exitCode)
	c.Flag("policy", "Policy to judge by: a shipped one's name or a file of your own (repeatable).").StringsVar(&f.policies)
	f.log.add(c, "warn")
	commands[c.FullCommand()] = f.run
}

// optionalFloat is a number flag that knows whether it was given.
func optionalFloat(f *kingpin.FlagClause, into **float64) {
	f.SetValue(&floatValue{into})
}

type floatValue struct{ into **float64 }

func (v *floatValue) Set(s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is no number of packets per second: write 0 (no limit) or more", s)
	}
	*v.into = &n
	return nil
}

func (v *floatValue) String() string {
	if v.into == nil || *v.into == nil {
		return ""
	}
	return fmt.Sprint(**v.into)
}

func (f *scanFlags) run(ctx context.Context, s streams) error {
	c, err := f.config()
	if err != nil {
		return err
	}
	log, err := f.log.logger(s.err)
	if err != nil {
		return err
	}
	o := agent.Options{Config: c, Version: version, Log: log}
	if f.dryRun {
		return f.plan(ctx, s, o)
	}
	// The files are opened first: a result must not be lost for want of a place.
	out, done, err := openOutput(s, f.output)
	if err != nil {
		return err
	}
	rec, err := newRecorder(f.record, f.redact)
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	o.Record = rec.write
	a, err := agent.New(ctx, o)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := newBar(s.err)
	a.OnProgress(bar.show)
	outcome, err := a.Scan(ctx)
	bar.clear()
	if err != nil {
		return err
	}
	found := a.Snapshot()
	outside := f.withoutNeighbours(a, found)
	if err := rec.finish(a.Filing(outside), a.Names); err != nil {
		return err
	}
	if err := errors.Join(printDevices(out, f.format, found, wantsColour(out)), done()); err != nil {
		return err
	}
	return f.status(found, outcome)
}

// withoutNeighbours leaves out of the result what stands beside a scope that
// was named: a question to all is answered by every host on the wire. It
// returns the devices left out.
func (f *scanFlags) withoutNeighbours(a *agent.Agent, s *exporter.Snapshot) map[string]bool {
	outside := map[string]bool{}
	if len(f.networks) == 0 {
		return outside
	}
	var within []inventory.Device
	for _, d := range s.Devices {
		if a.Neighbour(d) {
			outside[d.ID] = true
		} else {
			within = append(within, d)
		}
	}
	if len(outside) > 0 {
		s.Devices = within
		s.Unassessed, s.ChannelsUnknown = agent.Unassessed(within)
		s.Notes = append(s.Notes, fmt.Sprintf("devices heard outside the scope, and not listed: %d", len(outside)))
	}
	return outside
}

// config is the file's, with what the flags say over it.
func (f *scanFlags) config() (config.Config, error) {
	c := config.Default()
	if f.configFile != "" {
		read, err := config.Load(f.configFile)
		if err != nil {
			return c, usageError{err}
		}
		c = read
	}
	if c.Mode == config.ModeListen {
		return c, usageError{fmt.Errorf("%s: mode: listen forbids to send, and a scan sends: name another --config.file, or none", f.configFile)}
	}
	c.Discovery.QuietHours = nil
	if len(f.networks) > 0 {
		c.Networks = nil
		for _, n := range f.networks {
			var one config.Network
			if err := one.UnmarshalText([]byte(n)); err != nil {
				return c, usageError{err}
			}
			c.Networks = append(c.Networks, one)
		}
	}
	if len(f.interfaces) > 0 {
		c.Interfaces = f.interfaces
	}
	if f.rate != nil {
		c.Discovery.Rate = *f.rate
	}
	if f.arpRate != nil {
		setARPRate(&c, *f.arpRate)
	}
	if len(f.policies) > 0 {
		c.Policy.Lists, c.Policy.Files = byFile(f.policies)
	}
	return c, nil
}

// setARPRate sets discovery.sources.arp.rate and keeps the rest of it.
func setARPRate(c *config.Config, rate float64) {
	sources := map[string]yaml.Node{}
	for name, n := range c.Discovery.Sources {
		sources[name] = n
	}
	arp := map[string]any{}
	if n, ok := sources["arp"]; ok {
		_ = n.Decode(&arp) // its mistakes are reported when the sources are built
	}
	arp["rate"] = rate
	var n yaml.Node
	if err := n.Encode(arp); err == nil {
		sources["arp"] = n
	}
	c.Discovery.Sources = sources
}

// openOutput opens the file of --output; without one it gives standard output.
func openOutput(s streams, path string) (io.Writer, func() error, error) {
	if path == "" {
		return s.out, func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("--output: %w", err)
	}
	return file, file.Close, nil
}

// status turns what was found into the exit status.
func (f *scanFlags) status(found *exporter.Snapshot, o agent.Outcome) error {
	switch {
	case o.Interrupted:
		return statusError{exitInterrupted, nil}
	case o.Blind != "":
		return statusError{exitBlind, fmt.Errorf("the scan was blind: %s", o.Blind)}
	case f.exitCode != 0 && flaggedCount(found) > 0:
		return statusError{f.exitCode, nil}
	}
	return nil
}

// plan prints what a scan would send.
func (f *scanFlags) plan(ctx context.Context, s streams, o agent.Options) error {
	p := agent.NewPlan()
	o.Plan = p.Add
	a, err := agent.New(ctx, o)
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.Scan(ctx); err != nil {
		return err
	}
	return p.Print(s.out, a)
}
