// Package exporter is what others see of a census: the metrics, the HTTP API,
// the live stream and the page. It reads one immutable Snapshot at a time and
// changes things only through the Agent that its user hands it.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Options are what an Exporter is built from.
type Options struct {
	Agent Agent
	// ExternalURL is the URL under which others reach this agent; its path is
	// the prefix of every link. May be nil.
	ExternalURL *url.URL
	// WebConfigFile is the file of --web.config.file, "" when there is none.
	// Whether it asks for passwords or client certificates decides who may
	// change things.
	WebConfigFile string
	Log           *zap.Logger      // nil: none
	Now           func() time.Time // nil: time.Now
}

// Exporter serves everything of DESIGN section 8.
type Exporter struct {
	agent   Agent
	prefix  string // path of the external URL, without a slash at its end
	handler http.Handler
	cache   sumCache
	permit  permit
	pages   *pages
	log     *zap.Logger
	now     func() time.Time
	stream  chan struct{} // one slot per open stream
	closed  context.Context
	close   context.CancelFunc
}

// New builds the handler. Close ends the streams it holds open, so that a
// server can shut down.
func New(o Options) (*Exporter, error) {
	if o.Agent == nil {
		return nil, errors.New("exporter: no agent to show")
	}
	x := &Exporter{
		agent:  o.Agent,
		permit: permit{webConfig: o.WebConfigFile, external: o.ExternalURL},
		log:    o.Log,
		now:    o.Now,
		stream: make(chan struct{}, maxStreams),
	}
	if x.log == nil {
		x.log = zap.NewNop()
	}
	if x.now == nil {
		x.now = time.Now
	}
	if o.ExternalURL != nil {
		x.prefix = strings.TrimRight(o.ExternalURL.Path, "/")
	}
	x.closed, x.close = context.WithCancel(context.Background())
	var err error
	if x.pages, err = newPages(x.prefix); err != nil {
		return nil, fmt.Errorf("exporter: read the page's templates: %w", err)
	}
	metrics, err := newMetricsHandler(o.Agent, &x.cache, x.log)
	if err != nil {
		return nil, fmt.Errorf("exporter: register the metrics: %w", err)
	}
	x.handler, err = x.chain(x.mux(metrics))
	return x, err
}

// Close ends all open streams. It is meant for http.Server.RegisterOnShutdown.
func (x *Exporter) Close() { x.close() }

// ServeHTTP implements http.Handler.
func (x *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) { x.handler.ServeHTTP(w, r) }

// route is one path of the surface. The OpenAPI document is held against the
// list.
type route struct {
	method, path string
	serve        http.HandlerFunc
	early        bool // answers before the inventory is loaded
}

func (x *Exporter) routes(metrics http.Handler) []route {
	return []route{
		{"GET", "/{$}", x.overviewPage, false},
		{"GET", "/devices/{id}", x.devicePage, false},
		{"GET", "/coverage", x.coveragePage, false},
		{"GET", "/events", x.eventsPage, false},
		{"GET", "/static/{file}", x.pages.static, true},
		{"GET", "/metrics", metrics.ServeHTTP, false},
		{"GET", "/-/healthy", x.healthy, true},
		{"GET", "/-/ready", x.ready, false},
		{"POST", "/-/reload", x.reload, true},
		{"PUT", "/-/reload", x.reload, true},
		{"GET", "/api/v1/devices", x.listDevices, false},
		{"GET", "/api/v1/devices/{id}", x.showDevice, false},
		{"POST", "/api/v1/devices/{id}/exceptions", x.postException, false},
		{"DELETE", "/api/v1/devices/{id}/exceptions/{exception}", x.deleteException, false},
		{"POST", "/api/v1/devices/{id}/removal", x.postRemoval, false},
		{"POST", "/api/v1/devices/{id}/merge", x.postMerge, false},
		{"POST", "/api/v1/devices/{id}/split", x.postSplit, false},
		{"POST", "/api/v1/devices/{id}/determination", x.postDetermination, false},
		{"DELETE", "/api/v1/devices/{id}/determination", x.deleteDetermination, false},
		{"PATCH", "/api/v1/devices/{id}/annotations", x.patchAnnotations, false},
		{"GET", "/api/v1/events", x.listEvents, false},
		{"GET", "/api/v1/coverage", x.showCoverage, false},
		{"GET", "/api/v1/stream", x.serveStream, false},
		{"GET", "/api/v1/sd", x.serveDiscovery, false},
		{"GET", "/api/v1/export", x.export, false},
		{"POST", "/api/v1/pause", x.command(func(a Agent, by string) error { return a.Pause(by) }), false},
		{"POST", "/api/v1/resume", x.command(func(a Agent, by string) error { return a.Resume(by) }), false},
		{"POST", "/api/v1/rescan", x.command(func(a Agent, by string) error { return a.Rescan(by) }), false},
		{"GET", "/api/v1/openapi.json", serveOpenAPI, true},
	}
}

func (x *Exporter) mux(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	routes := x.routes(metrics)
	for _, r := range routes {
		serve := r.serve
		if !r.early {
			serve = x.whenReady(serve)
		}
		mux.HandleFunc(r.method+" "+r.path, serve)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { noRoute(mux, w, r) })
	return mux
}

// noRoute answers what no route took: 405 where another method would do, else
// 404.
func noRoute(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		fail(w, http.StatusNotFound, "not_found", "there is nothing at "+printable(r.URL.Path, 200))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "this path takes "+strings.Join(allowed, ", "))
}

// chain puts what holds for every answer before the routes: headers, the
// prefix of the external URL, and the refusal of other sites' requests.
func (x *Exporter) chain(next http.Handler) (http.Handler, error) {
	guard := http.NewCrossOriginProtection()
	if u := x.permit.external; u != nil && u.Host != "" {
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("exporter: web.external-url %s: %w", u, err)
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "cross_origin", "changes are taken from this agent's own pages only")
	}))
	next = guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if rest, ok := strings.CutPrefix(r.URL.Path, x.prefix+"/"); ok && x.prefix != "" {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = "/"+rest, ""
		}
		next.ServeHTTP(w, r)
	}), nil
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// whenReady answers 503 until the stored inventory is loaded.
func (x *Exporter) whenReady(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !x.agent.Ready() {
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "not_ready", "the stored inventory is being loaded")
			return
		}
		serve(w, r)
	}
}

func (x *Exporter) healthy(w http.ResponseWriter, _ *http.Request) {
	plain(w, "camcensus is healthy.\n")
}

func (x *Exporter) ready(w http.ResponseWriter, _ *http.Request) { plain(w, "camcensus is ready.\n") }

func plain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text)) // the client is gone: nobody is left to tell
}

func (x *Exporter) reload(w http.ResponseWriter, r *http.Request) {
	if _, ok := x.editor(w, r); !ok {
		return
	}
	if err := x.agent.Reload(); err != nil {
		fail(w, http.StatusInternalServerError, "reload_failed", err.Error())
		return
	}
	plain(w, "The config is reloaded.\n")
}
