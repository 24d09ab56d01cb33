// Old cameras carry certificates that Go refuses by default: negative serials,
// RSA keys of 512 bits. They are read, never trusted.
//
//go:debug x509negativeserial=1
//go:debug rsa1024min=0

// Command camcensus takes the census of the cameras on a network: it finds
// them, names who really made each, judges it against ban lists, remembers
// it, and shows it as metrics and on a page.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"camcensus/internal/agent"
)

// The exit statuses of every command (DESIGN section 5).
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitBlind       = 3
	exitInterrupted = 130
)

// version is set by the linker.
var version = "dev"

// usageError is a mistake in the command line or the configuration.
type usageError struct{ error }

// statusError ends the program with a status of its own. A nil error prints
// nothing.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// streams are where a command reads and writes: results on out, all else on
// err.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// action runs a parsed command.
type action func(ctx context.Context, s streams) error

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

func run(args []string, s streams) int {
	ctx, interrupted := untilSignal()

	app, commands := application(s)
	if len(args) == 0 {
		app.UsageWriter(s.err).Usage(nil)
		return exitUsage
	}
	name, status, err := parse(app, args)
	switch {
	case err != nil:
		fmt.Fprintf(s.err, "camcensus: %v (see camcensus --help)\n", err)
		return exitUsage
	case name == "":
		return status
	}
	status = report(commands[name](ctx, s), s.err)
	if status == exitDone && interrupted() {
		return exitInterrupted
	}
	return status
}

// application is the command line: what parses it, and what each command does.
func application(s streams) (*kingpin.Application, map[string]action) {
	app := kingpin.New("camcensus", "Takes the census of the cameras on a network and says which are of a banned maker.")
	app.HelpFlag.Short('h')
	app.UsageWriter(s.out).ErrorWriter(s.err)
	app.Terminate(func(status int) { panic(ended(status)) })
	app.Version(versionText())
	commands := map[string]action{}
	for _, add := range []func(*kingpin.Application, map[string]action){
		addRun, addScan, addIdentify, addInventory, addControl, addCheck, addOUI, addDemo, addVersion,
	} {
		add(app, commands)
	}
	return app, commands
}

// ended is what kingpin ends the program with once it has printed the help or
// the version.
type ended int

// parse returns the command's name, or none and a status when the help or the
// version was printed.
func parse(app *kingpin.Application, args []string) (name string, status int, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case ended:
			name, status, err = "", int(r), nil
		default:
			panic(r)
		}
	}()
	name, err = app.Parse(args)
	return name, exitDone, err
}

// untilSignal returns a context that ends with Ctrl-C or SIGTERM, and whether
// it was Ctrl-C. A second signal ends the program at once.
func untilSignal() (ctx context.Context, interrupted func() bool) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var ctrlC atomic.Bool
	go func() {
		ctrlC.Store(<-signals == os.Interrupt)
		signal.Stop(signals)
		cancel()
	}()
	return ctx, ctrlC.Load
}

// report prints what went wrong, one line a mistake, and gives the status.
func report(err error, w io.Writer) int {
	var status statusError
	var usage usageError
	var mistake agent.ConfigError
	code := exitDone
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
		code = status.status
	case errors.As(err, &usage), errors.As(err, &mistake):
		code = exitUsage
	default:
		code = exitFailed
	}
	if msg := err.Error(); msg != "" {
		for line := range strings.SplitSeq(msg, "\n") {
			fmt.Fprintf(w, "camcensus: %s\n", shown(line))
		}
	}
	return code
}
