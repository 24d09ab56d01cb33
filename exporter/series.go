package exporter

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"camcensus/internal/inventory"
)

// deviceSeries are the series that bear a device's id, in the text format of
// Prometheus (exposition format 0.0.4).
type deviceSeries struct {
	agent Agent
	cache *sumCache
}

// Gather implements prometheus.Gatherer.
func (d *deviceSeries) Gather() ([]*dto.MetricFamily, error) {
	var text bytes.Buffer
	if err := d.write(&text); err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&text)
	return slices.Collect(maps.Values(families)), err
}

// write writes the families one after the other, the labels in order.
func (d *deviceSeries) write(w io.Writer) error {
	s := d.agent.Snapshot()
	if s == nil {
		return nil
	}
	makers, brands := knownNames(s)
	l := &seriesWriter{out: bufio.NewWriterSize(w, 32<<10), devices: d.cache.of(s).series}
	l.family(nameDeviceInfo, func(d *inventory.Device) {
		l.gauge(1, "brand", brands.label(d.Brand), "class", string(classLabel(d.Class)), "device", d.ID, "ip", addressLabel(d),
			"location", printable(d.Annotations.Location, maxLocationLabel), "mac", macLabel(d), "manufacturer", makers.label(d.Manufacturer),
			"model", modelLabel(d.Model))
	})
	l.family(nameDeviceFlagged, func(d *inventory.Device) {
		for i := range d.Verdicts {
			if v := &d.Verdicts[i]; v.Flagged() {
				l.gauge(1, "device", d.ID, "excepted", strconv.FormatBool(v.Excepted), "policy", v.Policy, "state", string(d.State), "verdict", v.Verdict)
			}
		}
	})
	l.times(nameDeviceFirstSeen, func(d *inventory.Device) time.Time { return d.FirstSeen })
	l.times(nameDeviceLastSeen, func(d *inventory.Device) time.Time { return d.LastSeen })
	l.times(nameDeviceReturned, func(d *inventory.Device) time.Time { return d.Returned })
	l.family(nameExceptionExpiry, func(d *inventory.Device) {
		if len(d.Exceptions) == 0 {
			return
		}
		latest := make(map[string]time.Time, len(d.Exceptions))
		for i := range d.Exceptions {
			if x := &d.Exceptions[i]; x.Expires.After(latest[x.Policy]) {
				latest[x.Policy] = x.Expires
			}
		}
		for _, name := range slices.Sorted(maps.Keys(latest)) {
			l.gauge(seconds(latest[name]), "device", d.ID, "policy", name)
		}
	})
	return l.out.Flush()
}

// seriesWriter writes one family after the other.
type seriesWriter struct {
	out     *bufio.Writer
	devices []*inventory.Device
	name    string
	begun   bool // the family has its head
	line    []byte
}

// family writes what series gives of each device.
func (l *seriesWriter) family(name string, series func(*inventory.Device)) {
	l.name, l.begun = name, false
	for _, d := range l.devices {
		series(d)
	}
}

// times writes the moment that of gives of each device, which zero has not.
func (l *seriesWriter) times(name string, of func(*inventory.Device) time.Time) {
	l.family(name, func(d *inventory.Device) {
		if t := of(d); !t.IsZero() {
			l.gauge(seconds(t), "device", d.ID)
		}
	})
}

// gauge writes one series; labels are names and values in turn.
func (l *seriesWriter) gauge(value float64, labels ...string) {
	b := l.line[:0]
	if !l.begun {
		l.begun = true
		b = append(b, "# HELP "+l.name+" "+helpOf(l.name)+"\n# TYPE "+l.name+" gauge\n"...)
	}
	b = append(b, l.name...)
	before := byte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		b = append(append(append(b, before), labels[i]...), '=', '"')
		b = appendLabel(b, cleanLabel(labels[i+1]))
		b, before = append(b, '"'), ','
	}
	b = append(b, '}', ' ')
	b = append(strconv.AppendFloat(b, value, 'g', -1, 64), '\n')
	l.line = b
	_, _ = l.out.Write(b) // Flush tells
}

// appendLabel appends a label's value, which is printable, as the text format
// quotes it.
func appendLabel(b []byte, value string) []byte {
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return b
}

func helpOf(name string) string {
	for i := range definitions {
		if definitions[i].name == name {
			return definitions[i].help
		}
	}
	return ""
}

// textWriter compresses a scrape where the client takes it. It is quick rather
// than small: a scrape should not wait for it.
type textWriter struct {
	http.ResponseWriter
	compress bool
	status   int
	gzip     *gzip.Writer
}

// WriteHeader implements http.ResponseWriter.
func (t *textWriter) WriteHeader(status int) {
	if t.status != 0 {
		return
	}
	t.status = status
	t.Header().Add("Vary", "Accept-Encoding")
	if t.compress && status == http.StatusOK {
		t.Header().Set("Content-Encoding", "gzip")
		t.gzip = compressors.Get().(*gzip.Writer)
		t.gzip.Reset(t.ResponseWriter)
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (t *textWriter) Write(b []byte) (int, error) {
	t.WriteHeader(http.StatusOK)
	if t.gzip != nil {
		return t.gzip.Write(b)
	}
	return t.ResponseWriter.Write(b)
}

func (t *textWriter) close() {
	if t.gzip != nil {
		_ = t.gzip.Close() // the client is gone: nobody is left to tell
		compressors.Put(t.gzip)
	}
}

// compressors are kept from scrape to scrape: each is a megabyte.
var compressors = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is right
	return z
}}
