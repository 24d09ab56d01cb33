package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"camcensus/discovery"
)

// BenchmarkIdentifyFile reads records of many devices as a file, names and
// judges every device and writes the answers: identify, end to end. The mix is
// the corpus', or the judging set of fingerprint/ where that folder is absent.
func BenchmarkIdentifyFile(b *testing.B) {
	j, err := NewJudge(JudgeOptions{Lists: []string{"ca-hikvision-2025"}})
	if err != nil {
		b.Fatal(err)
	}
	file, hosts := manyHosts(b, 20_000)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		in := []Input{{Name: "bench", Reader: bytes.NewReader(file)}}
		if _, err := j.Identify(in, io.Discard, func(err error) { b.Fatal(err) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(hosts)*float64(b.N)/b.Elapsed().Seconds(), "devices/s")
}

// manyHosts repeats the mix under new host names until there are least hosts.
func manyHosts(b *testing.B, least int) (file []byte, hosts int) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "corpus", "cases.jsonl"))
	if os.IsNotExist(err) {
		text, err = os.ReadFile(filepath.Join("..", "..", "fingerprint", "testdata", "judging.jsonl"))
	}
	if err != nil {
		b.Fatal(err)
	}
	var cases [][]discovery.Record
	for line := range bytes.Lines(text) {
		var c struct{ Records []discovery.Record }
		if err := json.Unmarshal(line, &c); err != nil {
			b.Fatal(err)
		}
		cases = append(cases, c.Records)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for ; hosts < least; hosts++ {
		for _, r := range cases[hosts%len(cases)] {
			r.Host = fmt.Sprintf("%s#%d", r.Host, hosts)
			if err := enc.Encode(r); err != nil {
				b.Fatal(err)
			}
		}
	}
	return out.Bytes(), hosts
}
