package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/exporter-toolkit/web"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"camcensus/exporter"
	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
)

// runFlags are the flags of run.
type runFlags struct {
	configFile  string
	storage     string
	listen      []string
	webConfig   string
	externalURL string
	log         logFlags
}

// defaultListen is where the page and the metrics are served.
const defaultListen = "127.0.0.1:9877"

// gcPercent trades a little processor time for memory: the agent idles.
const gcPercent = 40

func addRun(app *kingpin.Application, commands map[string]action) {
	f := &runFlags{}
	c := app.Command("run", "The agent: discover on a schedule, keep the inventory, serve the page and the metrics.")
	c.Flag("config.file", "Configuration file; the defaults without one.").StringVar(&f.configFile)
	c.Flag("storage.path", "Directory of the inventory. (default: /var/lib/camcensus when writable, else $XDG_STATE_HOME/camcensus)").StringVar(&f.storage)
	c.Flag("web.listen-address", "Address of the page and the metrics (repeatable).").Default(defaultListen).StringsVar(&f.listen)
	c.Flag("web.config.file", "TLS and users of the page, as the Prometheus exporters read it.").StringVar(&f.webConfig)
	c.Flag("web.external-url", "URL under which the page is reached from outside.").StringVar(&f.externalURL)
	f.log.add(c, "info")
	commands[c.FullCommand()] = f.run
}

func (f *runFlags) run(ctx context.Context, s streams) error {
	debug.SetGCPercent(gcPercent)
	log, err := f.log.logger(s.err)
	if err != nil {
		return err
	}
	c := config.Default()
	if f.configFile != "" {
		if c, err = config.Load(f.configFile); err != nil {
			return usageError{err}
		}
	}
	for _, address := range f.listen {
		if err := tryListen(address); err != nil {
			return err
		}
	}
	dir, err := storageDir(f.storage)
	if err != nil {
		return err
	}
	log.Info("camcensus starts", zap.String("version", version), zap.String("storage", dir), zap.Strings("listen", f.listen))
	return f.serve(ctx, log, func(ctx context.Context) (*agent.Agent, error) {
		return agent.New(ctx, agent.Options{
			Config: c, ConfigFile: f.configFile, StoragePath: dir, Version: version, Revision: revision(), Log: log,
		})
	})
}

// serve listens first, so that whoever asks while the stored inventory is read
// is told to wait; then it runs the agent and the control socket until ctx
// ends.
func (f *runFlags) serve(ctx context.Context, log *zap.Logger, start func(context.Context) (*agent.Agent, error)) error {
	external, err := f.external()
	if err != nil {
		return err
	}
	front := &frontDoor{}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveWeb(ctx, front, f.listen, f.webConfig, log.Named("web")) })
	g.Go(func() error {
		a, err := start(ctx)
		if err != nil {
			return err
		}
		pages, err := exporter.New(exporter.Options{
			Agent: a, WebConfigFile: f.webConfig, ExternalURL: external, Log: log.Named("web"),
		})
		if err != nil {
			return errors.Join(err, a.Close())
		}
		context.AfterFunc(ctx, pages.Close)
		front.open(pages)
		return errors.Join(runAgent(ctx, a, pages), a.Close())
	})
	return g.Wait()
}

// runAgent runs all that lives as long as the agent.
func runAgent(ctx context.Context, a *agent.Agent, pages http.Handler) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error { return a.ServeSocket(ctx, pages) })
	g.Go(func() error { reloadOnHangup(ctx, a); return nil })
	g.Go(func() error { notifySystemd(ctx); return nil })
	g.Go(func() error { staySmall(ctx); return nil })
	return g.Wait()
}

// pagesLeft is how often the program lets go of its own pages: to map those in
// use again takes less than a millisecond.
const pagesLeft = 10 * time.Second

// staySmall gives back what starting up has used, and then what cycles use.
func staySmall(ctx context.Context) {
	again := time.NewTicker(pagesLeft)
	defer again.Stop()
	for {
		leaveProgramPages()
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// frontDoor answers 503 until the agent's pages are there.
type frontDoor struct{ pages atomic.Value }

func (d *frontDoor) open(h http.Handler) { d.pages.Store(&h) }

func (d *frontDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := d.pages.Load().(*http.Handler); ok {
		(*h).ServeHTTP(w, r)
		return
	}
	if r.URL.Path == "/-/healthy" {
		fmt.Fprintln(w, "camcensus is alive")
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "the stored inventory is being read", http.StatusServiceUnavailable)
}

// external parses --web.external-url; nil without one.
func (f *runFlags) external() (*url.URL, error) {
	if f.externalURL == "" {
		return nil, nil
	}
	u, err := url.Parse(f.externalURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, usageError{fmt.Errorf("--web.external-url: %q is no URL such as https://census.example.org/", f.externalURL)}
	}
	return u, nil
}

// serveWeb serves on every address until ctx ends, with the TLS and the users
// of the web config file.
func serveWeb(ctx context.Context, h http.Handler, addresses []string, webConfig string, log *zap.Logger) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: zap.NewStdLog(log)}
	systemdSocket := false
	context.AfterFunc(ctx, func() {
		done, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if srv.Shutdown(done) != nil {
			srv.Close()
		}
	})
	err := web.ListenAndServe(srv, &web.FlagConfig{
		WebListenAddresses: &addresses, WebSystemdSocket: &systemdSocket, WebConfigFile: &webConfig,
	}, slogger(log))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func reloadOnHangup(ctx context.Context, a *agent.Agent) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			_ = a.Reload() // logged and shown in the metrics there
		}
	}
}

// notifySystemd says that the agent is ready, keeps the watchdog quiet, and
// says when it stops. Without systemd it does nothing.
func notifySystemd(ctx context.Context) {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		<-ctx.Done()
		_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
		return
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
			return
		case <-tick.C:
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	}
}

// systemStorage is the agent's home where a package made it.
const systemStorage = "/var/lib/camcensus"

// storageDir makes the directory of the inventory: the named one, else the
// system's where it can be written, else the user's.
func storageDir(named string) (string, error) {
	if named != "" {
		err := makeStorage(named)
		if _, there := os.Stat(filepath.Join(named, inventory.FileName)); there == nil && cannotGrow(err) {
			return named, nil // the agent works from memory, says so, and catches up
		}
		return named, err
	}
	if makeStorage(systemStorage) == nil {
		return systemStorage, nil
	}
	dir, err := userStorage()
	if err != nil {
		return "", err
	}
	return dir, makeStorage(dir)
}

// cannotGrow tells a full or read-only disk from other trouble.
func cannotGrow(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC)
}

// userStorage is the home of an agent that runs for one user.
func userStorage() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("storage: no home directory; name one with --storage.path: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "camcensus"), nil
}

// findStorage is storageDir for commands that only use what is there: the
// first of its candidates that holds an inventory.
func findStorage(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	candidates := []string{systemStorage}
	if own, err := userStorage(); err == nil {
		candidates = append(candidates, own)
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, inventory.FileName)); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no inventory in %s: name its directory with --storage.path", strings.Join(candidates, " or "))
}

// makeStorage makes the directory and tries to write there.
func makeStorage(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("storage: %w (name another with --storage.path)", err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("storage: %w (name another with --storage.path)", err)
	}
	f.Close()
	return os.Remove(f.Name())
}
