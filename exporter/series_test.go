package exporter

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// TestEveryFormatHoldsTheSameSeries takes a scrape as text, compressed, and as
// protocol buffers.
func TestEveryFormatHoldsTheSameSeries(t *testing.T) {
	a := newTestAgent()
	a.snapshot.Devices[0].Annotations.Location = `Door "2" \ left`
	x := newTestExporter(t, a)
	text := scrape(t, x)
	if want := `location="Door \"2\" \\ left"`; !strings.Contains(text, want) {
		t.Errorf("no %s", want)
	}
	want := make(map[string]int)
	for line := range strings.Lines(text) {
		if name, _, _ := strings.Cut(line, "{"); strings.HasPrefix(line, "camcensus_device_") && name != line {
			want[name]++
		}
	}
	if len(want) < 4 {
		t.Fatalf("families of devices: %v", want)
	}

	compressed := request(x, "GET", "/metrics", "", "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(compressed.Body)
	if err != nil || compressed.Header().Get("Content-Encoding") != "gzip" {
		t.Fatal(err, compressed.Header())
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || strings.Count(string(unpacked), "\ncamcensus_device_") != strings.Count(text, "\ncamcensus_device_") {
		t.Errorf("unpacked: %v, %d bytes, %d as text", err, len(unpacked), len(text))
	}

	// What Prometheus 3 asks with.
	w := request(x, "GET", "/metrics", "", "Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"+
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") || strings.Count(w.Body.String(), "\ncamcensus_device_info{") != want[nameDeviceInfo] {
		t.Errorf("%s, %d devices of %d", kind, strings.Count(w.Body.String(), "\ncamcensus_device_info{"), want[nameDeviceInfo])
	}

	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	w = request(x, "GET", "/metrics", "", "Accept", string(format))
	decoder := expfmt.NewDecoder(w.Body, format)
	for {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if n, known := want[family.GetName()]; known {
			if len(family.Metric) != n {
				t.Errorf("%s: %d series, %d as text", family.GetName(), len(family.Metric), n)
			}
			delete(want, family.GetName())
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}
