package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// Identified is one line of what identify prints (DESIGN section 9).
type Identified struct {
	Host           string               `json:"host"`
	MAC            string               `json:"mac"`
	Manufacturer   string               `json:"manufacturer"`
	Brand          string               `json:"brand"`
	Model          string               `json:"model"`
	Firmware       string               `json:"firmware"`
	Serial         string               `json:"serial"`
	Class          fingerprint.Class    `json:"class"`
	Certainty      float64              `json:"certainty"`
	Verdicts       []IdentifiedVerdict  `json:"verdicts"`
	Reasons        []fingerprint.Reason `json:"reasons"`
	Contradictions []string             `json:"contradictions"`
}

// IdentifiedVerdict is a verdict as identify prints it.
type IdentifiedVerdict struct {
	Policy  string `json:"policy"`
	Verdict string `json:"verdict"`
	Basis   string `json:"basis"`
	Measure string `json:"measure"`
}

// maxLine bounds one line of evidence: a 64 KiB body, escaped as JSON.
const maxLine = 1 << 20

// hostRecords are the records of one host, in order of arrival.
type hostRecords struct {
	host    string
	records []discovery.Record
}

// evidenceLine is one line of the input: the record, or why it is none.
type evidenceLine struct {
	file   string
	number int
	text   []byte
	record *discovery.Record
	err    error
}

// Input is one file of evidence.
type Input struct {
	Name string // as errors cite it
	io.Reader
}

// Identify reads evidence records, one JSON object a line, and writes one
// identity a line, per host in order of first appearance. A line that cannot
// be read goes to bad as "FILE:LINE: why"; the good ones are answered all the
// same. The number of bad lines is returned.
func (j *Judge) Identify(in []Input, out io.Writer, bad func(error)) (int, error) {
	var lines []evidenceLine
	for _, i := range in {
		more, err := readLines(i)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", i.Name, err)
		}
		lines = append(lines, more...)
	}
	inParallel(len(lines), func(i int) { lines[i].decode() })
	hosts, failed := groupByHost(lines, bad)
	answers := make([][]byte, (len(hosts)+answerChunk-1)/answerChunk)
	inParallel(len(answers), func(i int) {
		answers[i] = j.answer(hosts[i*answerChunk : min(len(hosts), (i+1)*answerChunk)])
	})
	for _, a := range answers {
		if _, err := out.Write(a); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// answerChunk is how many hosts one worker answers at a time.
const answerChunk = 64

// inParallel calls do for 0 to n-1 on all processors and waits.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

func readLines(in Input) ([]evidenceLine, error) {
	var lines []evidenceLine
	r := bufio.NewReaderSize(in, 1<<16)
	for n := 1; ; n++ {
		text, err := readLine(r)
		switch {
		case err == io.EOF:
			return lines, nil
		case errors.Is(err, errLongLine):
			lines = append(lines, evidenceLine{file: in.Name, number: n, err: err})
		case err != nil:
			return nil, err
		case len(bytes.TrimSpace(text)) > 0:
			lines = append(lines, evidenceLine{file: in.Name, number: n, text: text})
		}
	}
}

func groupByHost(lines []evidenceLine, bad func(error)) (hosts []*hostRecords, failed int) {
	byHost := map[string]*hostRecords{}
	for _, l := range lines {
		if l.err != nil {
			failed++
			bad(fmt.Errorf("%s:%d: %w", l.file, l.number, l.err))
			continue
		}
		h := byHost[l.record.Host]
		if h == nil {
			h = &hostRecords{host: l.record.Host}
			byHost[l.record.Host] = h
			hosts = append(hosts, h)
		}
		h.records = append(h.records, *l.record)
	}
	return hosts, failed
}

var errLongLine = fmt.Errorf("longer than %d bytes", maxLine)

// readLine returns one line without its end; a longer one than maxLine is
// read over and reported.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			long = true
		}
		if !long {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) == 0 && !long:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		case long:
			return nil, errLongLine
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}

func (l *evidenceLine) decode() {
	if l.err != nil {
		return
	}
	l.record = &discovery.Record{}
	err := json.Unmarshal(l.text, l.record)
	l.text = nil
	switch {
	case err != nil:
		l.err = fmt.Errorf("no evidence record: %w", err)
	case l.record.Host == "":
		l.err = errors.New(`no evidence record: "host" is missing`)
	case l.record.Kind == "":
		l.err = errors.New(`no evidence record: "kind" is missing`)
	}
}

// answerBuffers are reused: what is written into one is cloned to its size.
var answerBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (j *Judge) answer(hosts []*hostRecords) []byte {
	buf := answerBuffers.Get().(*bytes.Buffer)
	defer answerBuffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for _, h := range hosts {
		if err := enc.Encode(j.IdentifyHost(h.host, h.records)); err != nil {
			panic(fmt.Sprintf("identify: %v", err)) // plain strings and numbers always encode
		}
	}
	return bytes.Clone(buf.Bytes())
}

// IdentifyHost adds up the records of one host and judges it.
func (j *Judge) IdentifyHost(host string, records []discovery.Record) Identified {
	var evidence []fingerprint.Evidence
	mac := ""
	for _, r := range records {
		if mac == "" {
			mac = r.MAC
		}
		evidence = j.parsers.appendEvidence(evidence, r)
	}
	id := j.rules.Identify(evidence)
	verdicts := make([]policy.Verdict, len(j.policies))
	for i, p := range j.policies {
		verdicts[i] = policy.Decide(p, id, "", time.Time{})
	}
	return identified(host, mac, id, verdicts)
}

func identified(host, mac string, id fingerprint.Identity, verdicts []policy.Verdict) Identified {
	out := Identified{
		Host: host, MAC: mac,
		Manufacturer: id.Manufacturer, Brand: id.Brand, Model: id.Model,
		Firmware: id.Firmware, Serial: id.Serial, Class: id.Class, Certainty: id.Certainty,
		Verdicts: make([]IdentifiedVerdict, 0, len(verdicts)),
		Reasons:  id.Reasons, Contradictions: id.Contradictions,
	}
	for _, v := range verdicts {
		out.Verdicts = append(out.Verdicts, IdentifiedVerdict{v.Policy, v.Verdict, v.Basis, v.Measure})
	}
	if out.Reasons == nil {
		out.Reasons = []fingerprint.Reason{}
	}
	if out.Contradictions == nil {
		out.Contradictions = []string{}
	}
	return out
}
