package exporter

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"
)

// What a scrape may take of the machine.
const (
	maxScrapesInFlight = 4
	scrapeTimeout      = 10 * time.Second
)

// newMetricsHandler serves the agent's metrics and those of the process. One
// bad series never costs the others. The series of single devices, which may
// be ten thousand, are written straight as text behind the rest; who asks for
// another format gets them by way of the library's parser.
func newMetricsHandler(agent Agent, cache *sumCache, log *zap.Logger) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		newCollector(agent, cache),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	o := promhttp.HandlerOpts{
		ErrorLog: zap.NewStdLog(log), ErrorHandling: promhttp.ContinueOnError, Timeout: scrapeTimeout, DisableCompression: true,
	}
	series := &deviceSeries{agent, cache}
	text := promhttp.HandlerFor(registry, o)
	o.DisableCompression = false
	other := promhttp.HandlerFor(prometheus.Gatherers{registry, series}, o)
	return scrapes(func(w http.ResponseWriter, r *http.Request) {
		if expfmt.NegotiateAccept(r.Header, expfmt.DefaultAcceptedFormats()...).FormatType() != expfmt.TypeTextPlain {
			other.ServeHTTP(w, r)
			return
		}
		out := &textWriter{ResponseWriter: w, compress: strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")}
		text.ServeHTTP(out, r)
		if out.status == http.StatusOK {
			_ = series.write(out) // the client is gone: nobody is left to tell
		}
		out.close()
	}), nil
}

// scrapes lets so many scrapes at a time be written, each within its time,
// until the client has it all.
func scrapes(serve http.HandlerFunc) http.Handler {
	slots := make(chan struct{}, maxScrapesInFlight)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "busy", fmt.Sprintf("%d scrapes are under way", maxScrapesInFlight))
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * scrapeTimeout)) // not every writer has one
		serve(w, r)
	})
}

// collector turns the agent's snapshot into const metrics at scrape time, so
// that nothing stale stays.
type collector struct {
	agent Agent
	cache *sumCache
	descs map[string]*prometheus.Desc

	mu      sync.Mutex
	counted *sums               // what kept was made of
	kept    []prometheus.Metric // the metrics that only a change of devices changes
}

func newCollector(agent Agent, cache *sumCache) *collector {
	c := &collector{agent: agent, cache: cache, descs: make(map[string]*prometheus.Desc, len(definitions))}
	for _, d := range definitions {
		c.descs[d.name] = prometheus.NewDesc(d.name, d.help, d.labels, nil)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range definitions {
		ch <- c.descs[d.name]
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.agent.Snapshot()
	if s == nil {
		return
	}
	e := &emitter{descs: c.descs, out: func(m prometheus.Metric) { ch <- m }}
	for _, m := range c.ofDevices(s) {
		ch <- m
	}
	e.identity(s)
	e.coverage(s)
	e.sources(s)
	e.work(s)
	e.upkeep(s)
}

// ofDevices returns what is counted over devices, made anew only when the sums
// are new.
func (c *collector) ofDevices(s *Snapshot) []prometheus.Metric {
	t := c.cache.of(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counted == t {
		return c.kept
	}
	var made []prometheus.Metric
	e := &emitter{descs: c.descs, out: func(m prometheus.Metric) { made = append(made, m) }}
	e.totals(t)
	e.gauge(nameDeviceSeriesDropped, float64(t.dropped))
	c.counted, c.kept = t, made
	return made
}

// emitter makes const metrics. What cannot be made becomes an invalid metric,
// which the scrape reports and leaves out.
type emitter struct {
	descs map[string]*prometheus.Desc
	out   func(prometheus.Metric)
}

func (e *emitter) gauge(name string, value float64, labels ...string) {
	e.emit(name, prometheus.GaugeValue, value, labels)
}

func (e *emitter) counter(name string, value uint64, labels ...string) {
	e.emit(name, prometheus.CounterValue, float64(value), labels)
}

func (e *emitter) emit(name string, kind prometheus.ValueType, value float64, labels []string) {
	for i := range labels {
		labels[i] = cleanLabel(labels[i])
	}
	m, err := prometheus.NewConstMetric(e.descs[name], kind, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(e.descs[name], err)
	}
	e.out(m)
}

// time gives a timestamp, and nothing for a time that never was.
func (e *emitter) time(name string, t time.Time, labels ...string) {
	if !t.IsZero() {
		e.gauge(name, seconds(t), labels...)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func bit(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (e *emitter) totals(t *sums) {
	for k, n := range t.devices {
		e.gauge(nameDevices, float64(n), string(k.class), k.manufacturer, string(k.state))
	}
	e.gauge(nameUnclassifiedHosts, float64(t.unclassified))
	for k, n := range t.flagged {
		e.gauge(nameFlaggedDevices, float64(n), k.policy, k.manufacturer, k.verdict, string(k.state), strconv.FormatBool(k.excepted))
	}
	for k, n := range t.verdicts {
		e.gauge(nameVerdicts, float64(n), k.policy, k.verdict, string(k.class))
	}
}
