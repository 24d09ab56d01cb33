package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"camcensus/internal/lab"
)

// campusKinds are the cameras of the campus by the maker who made them.
var campusKinds = []struct{ kind, maker string }{
	{"hikvision-camera", "Hikvision"}, {"dahua-camera", "Dahua"}, {"axis-camera", "Axis"}, {"hanwha-camera", "Hanwha"}, {"uniview-camera", "Uniview"},
}

// campus plays a /22 with 500 cameras on cam0 and returns their makers by address.
func campus(b *testing.B) map[string]string {
	b.Helper()
	makers := map[string]string{}
	var text strings.Builder
	text.WriteString("name: campus\nsegments: [{name: lan, prefix: 10.70.0.0/22}]\ndevices:\n")
	for n := range 500 {
		k := campusKinds[n%len(campusKinds)]
		ip := fmt.Sprintf("10.70.%d.%d", n/200, 10+n%200)
		fmt.Fprintf(&text, "  - {name: c%d, kind: %s, ip: %s}\n", n, k.kind, ip)
		makers[ip] = k.maker
	}
	site, err := lab.Load(strings.NewReader(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	running, err := lab.Segment(context.Background(), lab.SegmentOptions{Site: site})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { running.Close() })
	return makers
}

// The two look at the same /22 and ask the same ports, both without a rate
// limit: run them with -benchtime 1x and CAMCENSUS_BINARY.
func BenchmarkCampus(b *testing.B) {
	makers := campus(b)
	for b.Loop() {
		out, err := exec.Command(os.Getenv("CAMCENSUS_BINARY"), "scan", "--rate", "0", "--arp-rate", "0", "--format", "json", "10.70.0.0/22").Output()
		var s scanned
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		if err != nil {
			b.Fatalf("scan: %v (CAMCENSUS_BINARY names the program)", err)
		}
		right := 0
		for _, d := range s.Devices {
			for _, ip := range d.IPs {
				if makers[ip] != "" && makers[ip] == d.Manufacturer {
					right++
				}
			}
		}
		b.ReportMetric(float64(right), "makers")
	}
}

// peerBound is when nmap is stopped, should it not have ended by then: .ci/bench
// then prints how many times faster we are at least, and says so.
const peerBound = 4 * time.Minute

func BenchmarkCampusByNmap(b *testing.B) {
	makers := campus(b)
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), peerBound)
		out, err := exec.CommandContext(ctx, "nmap", "-sV", "-n", "-T5", "-p", "80,443,554,8000,8080", "10.70.0.0/22").Output()
		stopped := ctx.Err() != nil
		cancel()
		if err != nil && !stopped {
			b.Fatalf("nmap: %v (install the package nmap)", err)
		}
		if stopped {
			b.ReportMetric(1, "stopped")
		}
		right := 0
		for report := range strings.SplitSeq(string(out), "Nmap scan report for ") {
			ip, rest, _ := strings.Cut(report, "\n")
			if makers[ip] != "" && strings.Contains(strings.ToLower(rest), strings.ToLower(makers[ip])) {
				right++
			}
		}
		b.ReportMetric(float64(right), "makers")
	}
}
