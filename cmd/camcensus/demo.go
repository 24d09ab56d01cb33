package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/lab"
)

// demoFlags are the flags of demo.
type demoFlags struct {
	listen string
	log    logFlags
}

func addDemo(app *kingpin.Application, commands map[string]action) {
	f := &demoFlags{}
	c := app.Command("demo", "A simulated site on loopback with the agent and its page on it; nothing leaves the machine.")
	c.Flag("web.listen-address", "Address of the page and the metrics.").Default(defaultListen).StringVar(&f.listen)
	f.log.add(c, "warn")
	commands[c.FullCommand()] = f.run
}

func (f *demoFlags) run(ctx context.Context, s streams) (err error) {
	log, err := f.log.logger(s.err)
	if err != nil {
		return err
	}
	// The page's address is tried first: a taken port is the likeliest failure.
	if err := tryListen(f.listen); err != nil {
		return err
	}
	site, err := lab.Named("demo")
	if err != nil {
		return err
	}
	played, err := lab.Loopback(ctx, site)
	if err != nil {
		return fmt.Errorf("demo: play the site on loopback: %w", err)
	}
	defer played.Close()
	dir, err := os.MkdirTemp("", "camcensus-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	heard, late := speaking(site)
	fmt.Fprintf(s.err, "A simulated site of %d devices on 127.77.0.0/24, %d of them plugged in while it runs; nothing leaves this machine.\n", heard, late)
	fmt.Fprintf(s.err, "  page     http://%s/\n  metrics  http://%s/metrics\nCtrl-C ends it.\n", f.listen, f.listen)
	run := runFlags{listen: []string{f.listen}}
	return run.serve(ctx, log.With(zap.Bool("demo", true)), func(ctx context.Context) (*agent.Agent, error) {
		return agent.New(ctx, agent.Options{
			Config: demoConfig(), StoragePath: dir, Version: version, Revision: revision(), Log: log,
		})
	})
}

// speaking counts the devices that make themselves heard, and those of them
// that come later. Without ARP, which loopback has not, the rest stays unseen.
func speaking(site *lab.Site) (heard, late int) {
	for _, d := range site.Devices {
		if d.WSD == nil && d.MDNS == nil && len(d.UDP) == 0 {
			continue
		}
		heard++
		if d.PlugAfter > 0 {
			late++
		}
	}
	return heard, late
}

// demoConfig looks at the simulated site only, and often.
func demoConfig() config.Config {
	c := config.Default()
	c.Site = config.Site{Name: "demo", Property: "Simulated building", Organisation: "camcensus demo"}
	c.Interfaces = []string{"lo"}
	c.Networks = []config.Network{"127.77.0.0/24"}
	c.Discovery.Interval = config.Duration(30 * time.Second)
	c.Policy.Lists = []string{"ca-hikvision-2025", "ca-qc-2023", "us-ndaa-889", "us-fcc-covered-list"}
	return c
}

// tryListen tells before any work whether the address is free.
func tryListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return usageError{fmt.Errorf("the page cannot be served: %w (choose another --web.listen-address)", err)}
	}
	return l.Close()
}
