package fingerprint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
	"camcensus/fingerprint/oui"
	"camcensus/internal/policy"
)

// mix is the corpus' evidence, one device after another.
func mix(b *testing.B) [][]fingerprint.Evidence {
	var out [][]fingerprint.Evidence
	for _, c := range corpus(b) {
		out = append(out, evidenceOf(c.Records))
	}
	if len(out) == 0 {
		out = [][]fingerprint.Evidence{{
			{Source: "http", Port: 80, Path: "/", Field: "server", Value: "App-webs/", Solicited: true},
			{Source: "wsd", Field: "scope.hardware", Value: "DS-2CD2085G1-I"},
		}}
	}
	return out
}

func BenchmarkIdentifyAndJudge(b *testing.B) {
	rules, devices := shippedRules(b), mix(b)
	ps, err := policy.Load(policy.Shipped()[:1], nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := rules.Identify(devices[i%len(devices)])
		policy.Judge(ps[0], id, "", time.Time{}, time.Time{})
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "devices/s")
}

func BenchmarkIdentify(b *testing.B) {
	rules, devices := shippedRules(b), mix(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rules.Identify(devices[i%len(devices)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "devices/s")
}

// BenchmarkRuleSetSize compares a set of 500 more rules with one of 5,000.
func BenchmarkRuleSetSize(b *testing.B) {
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rules, err := fingerprint.Default(oui.Default().Registrant, manyRules(b, n))
			if err != nil {
				b.Fatal(err)
			}
			devices := mix(b)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				rules.Identify(devices[i%len(devices)])
			}
		})
	}
}

// manyRules writes n rules on the fields that devices send most.
func manyRules(b *testing.B, n int) string {
	var text strings.Builder
	text.WriteString("maker: Invented\nmakes: cameras\nrules:\n")
	fields := []string{"http.server", "http.body", "http.title", "wsd.scope.hardware", "onvif.model", "tls.subject", "rtsp.realm"}
	for i := range n {
		field := fields[i%len(fields)]
		group, grade := "FIRMWARE", "medium"
		if field == "http.title" {
			group, grade = "TYPED", "weak"
		}
		fmt.Fprintf(&text, "  - id: r%d\n    match: [{field: %s, pattern: '^(?:Maker|Model)%04d-[A-Z]{2}\\d+'}]\n", i, field, i*7919%10007)
		fmt.Fprintf(&text, "    grade: %s\n    group: %s\n    means: m\n    source: s\n    date: 2026-11-22\n    examples: [x]\n", grade, group)
	}
	file := filepath.Join(b.TempDir(), "invented.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}
