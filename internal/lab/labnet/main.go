// Command labnet runs a command in a network namespace of its own, attached to a simulated site:
//
//	go run ./internal/lab/labnet --site sixty -- camcensus scan
//
// The agent's interface is cam0 with the address 10.77.0.2/24 (cam1 and so on for further segments).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"camcensus/internal/lab"
)

func main() {
	var o options
	flag.StringVar(&o.site, "site", "sixty", "the `NAME` of the site: "+strings.Join(lab.Names(), ", "))
	flag.StringVar(&o.file, "file", "", "a site's YAML `FILE` instead of a named site")
	flag.StringVar(&o.pcap, "pcap", "", "write what crossed the wire to this `FILE`")
	flag.Float64Var(&o.loss, "loss", 0, "the `SHARE` of frames that get lost, 0 to 1")
	flag.BoolVar(&o.list, "list", false, "print the site's devices and their truth")
	flag.BoolVar(&o.counts, "counts", false, "print at the end how many frames the agent sent, by kind")
	flag.Parse()
	if o.list {
		exit(o.print())
	}
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := lab.Enter(); err != nil {
		exit(err)
	}
	exit(o.run(flag.Args()))
}

type options struct {
	site, file, pcap string
	loss             float64
	list, counts     bool
}

func exit(err error) {
	var status *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &status) && status.ExitCode() > 0:
		os.Exit(status.ExitCode())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func (o options) load() (*lab.Site, error) {
	if o.file == "" {
		return lab.Named(o.site)
	}
	f, err := os.Open(o.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return lab.Load(f)
}

func (o options) print() error {
	site, err := o.load()
	if err != nil {
		return err
	}
	for _, d := range site.Devices {
		fmt.Printf("%-22s %-16s %s  %-24s %-14s %-14s %-10s %v\n", d.Name, d.Addr(), d.HardwareAddr(), d.Model, d.Truth.Maker, d.Truth.Brand, d.Truth.Class, d.Truth.Verdicts)
	}
	return nil
}

// run plays the site while the command runs.
func (o options) run(command []string) error {
	site, err := o.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	running, err := lab.Segment(context.WithoutCancel(ctx), lab.SegmentOptions{Site: site})
	if err != nil {
		return err
	}
	running.SetLoss(o.loss)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	failure := cmd.Run()
	if o.counts {
		printCounts(running.Captured())
	}
	if o.pcap != "" {
		if err := o.writePcap(running); err != nil {
			return errors.Join(failure, err)
		}
	}
	return errors.Join(failure, running.Close())
}

func (o options) writePcap(running *lab.Running) error {
	f, err := os.Create(o.pcap)
	if err != nil {
		return err
	}
	return errors.Join(running.WritePcap(f), f.Close())
}

func printCounts(frames []lab.Frame) {
	counts := map[string]int{}
	for _, f := range frames {
		counts[fmt.Sprintf("%04x protocol %d port %d", f.EtherType, f.Protocol, f.DstPort)]++
	}
	for kind, n := range counts {
		fmt.Fprintf(os.Stderr, "%6d %s\n", n, kind)
	}
}
