package oui

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"camcensus/discovery"
)

const (
	maxFile       = 64 << 20
	maxRegistrant = 160
)

// ReadBlocks reads a registry as others publish it and tells the form by the
// content: oui-data's JSON, one of the IEEE's csv files (oui.csv, mam.csv,
// oui36.csv) or of its text files (oui.txt, mam.txt, oui36.txt).
func ReadBlocks(from io.Reader) ([]Block, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("oui: read the registry file: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("oui: the registry file is larger than %d MiB", maxFile>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	head := text[:min(len(text), 4096)]
	var blocks []Block
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")):
		blocks, err = fromJSON(text)
	case bytes.HasPrefix(head, []byte("Registry,")):
		blocks, err = fromCSV(text)
	case bytes.Contains(head, []byte("(hex)")):
		blocks, err = fromText(text)
	default:
		err = errors.New("neither the IEEE's csv or text nor oui-data's JSON")
	}
	if err == nil && len(blocks) == 0 {
		err = errors.New("no block in it")
	}
	if err != nil {
		return nil, fmt.Errorf("oui: read the registry file: %w", err)
	}
	return blocks, nil
}

// Import reads a newer registry in any of the forms of ReadBlocks and lays it
// over r. The IEEE publishes its three registries as three files: import them
// one after the other.
func (r *Registry) Import(from io.Reader, version, date string) (*Registry, error) {
	blocks, err := ReadBlocks(from)
	if err != nil {
		return nil, err
	}
	return r.With(blocks, version, date)
}

// With returns a registry of r's blocks and the given ones, which win.
func (r *Registry) With(blocks []Block, version, date string) (*Registry, error) {
	return Build(slices.Concat(r.Blocks(), blocks), version, date)
}

func fromJSON(text []byte) ([]Block, error) {
	var entries map[string]string
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, err
	}
	blocks := make([]Block, 0, len(entries))
	for prefix, holder := range entries {
		registrant, _, _ := strings.Cut(holder, "\n") // the address follows
		if b, ok := block(prefix, registrant); ok {
			blocks = append(blocks, b)
		}
	}
	return blocks, nil
}

// fromCSV reads Registry, Assignment, Organization Name, Organization Address.
func fromCSV(text []byte) ([]Block, error) {
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord = -1
	reader.LazyQuotes = true
	var blocks []Block
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return blocks, nil
		}
		if err != nil {
			return nil, err
		}
		if len(row) < 3 {
			continue
		}
		if b, ok := block(row[1], row[2]); ok {
			blocks = append(blocks, b)
		}
	}
}

// fromText reads the pairs of lines "00-BC-99   (hex)  NAME" and "0BC990  or
// 700000-7FFFFF  (base 16)  NAME"; the second form alone tells a block of 28
// or 36 bits.
func fromText(text []byte) ([]Block, error) {
	var blocks []Block
	high := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if prefix, _, ok := strings.Cut(strings.TrimSpace(lines.Text()), "(hex)"); ok {
			high = strings.ReplaceAll(strings.TrimSpace(prefix), "-", "")
			continue
		}
		prefix, rest, ok := strings.Cut(strings.TrimSpace(lines.Text()), "(base 16)")
		if !ok {
			continue
		}
		prefix = strings.TrimSpace(prefix)
		if first, last, isRange := strings.Cut(prefix, "-"); isRange {
			prefix = high + commonPrefix(first, last)
		}
		if b, ok := block(prefix, rest); ok {
			blocks = append(blocks, b)
		}
	}
	return blocks, lines.Err()
}

func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// block cleans one entry; what is no MA-L, MA-M or MA-S block is left out
// (the IEEE's files hold company ids and older blocks too).
func block(prefix, registrant string) (Block, bool) {
	prefix = strings.ToUpper(strings.TrimSpace(prefix))
	if slices.Index(digits[:], len(prefix)) < 0 {
		return Block{}, false
	}
	if _, err := strconv.ParseUint(prefix, 16, 64); err != nil {
		return Block{}, false
	}
	registrant = discovery.CleanText([]byte(registrant), maxRegistrant)
	return Block{prefix, registrant}, registrant != ""
}
