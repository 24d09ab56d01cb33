package fingerprint

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// The rules are data: one YAML file per maker under rules/. A file looks like
// this; every key that is not marked optional is needed.
//
//	maker: Hikvision                  # canonical name, the one every verdict, label and page uses
//	names:                            # optional: legal names, as instruments and registries write them
//	  - Hangzhou Hikvision Digital Technology Co., Ltd.
//	listed: true                      # optional: an instrument somewhere names it or its group, so that one
//	                                  # medium sign suspects it but does not name it
//	group: {of: Hikvision, tie: affiliate, from: "2018", until: "2022-11-24", source: "..."}
//	                                  # optional: an affiliate (tie: affiliate | former) of another maker;
//	                                  # "group: Hikvision" is short for a present affiliate
//	makes: cameras                    # optional, mixed where no file of the maker says; cameras: its address alone suggests a camera; mixed: its address says
//	                                  # nothing until something else says camera; other: it makes none
//	mainly: recorder                  # optional: the class of a device of this maker that shows no sign of its
//	                                  # kind; camera where makes is cameras
//	common: true                      # optional: its name is a common word or that of programs which run
//	                                  # anywhere: a field that begins with it says nothing by itself
//	registrants:                      # optional: IEEE registrants exactly as registered, never a substring
//	  - Hangzhou Hikvision Digital Technology Co.,Ltd.
//	brands:                           # optional: labels under which its devices are sold
//	  - {brand: HiLook, own: true, scope: all, confidence: verified-secondary, source: "..."}
//	  - {brand: ABUS, scope: some, confidence: technical, source: "...", models: '^IPC[ABS]\d{5}'}
//	                                  # own: the maker's own label, else another firm's (a relabel);
//	                                  # scope: all | some | former; models (optional) limits the row;
//	                                  # confidence: self | verified-primary | verified-secondary | technical |
//	                                  # memory-high | memory-med | memory-low; memory never drives a verdict
//	model:                            # optional: one spelling for one model, applied in order
//	  - {pattern: '^HIKVISION[ _-]+', replace: ''}
//	rules:
//	  - id: app-webs                  # lower case; the rule is cited as FILE/ID
//	    match:                        # all must hold within ONE answer (same kind, port and path)
//	      - {field: http.server, pattern: '^App-webs/'}
//	    unless:                       # optional: none of these may hold in that answer
//	      - {field: http.title, pattern: 'AXIS'}
//	    supports: {manufacturer: Hikvision, brand: HiLook, model: $1, firmware: $2, serial: $1, class: camera, channels: $1}
//	                                  # optional: without it the rule supports the file's maker as manufacturer
//	    grade: strong                 # strong | medium | weak
//	    group: FIRMWARE               # ADDRESS | NATIVE | FIRMWARE | CERTIFICATE | MODEL | TYPED
//	    means: "Hikvision's own web server calls itself so."   # a sentence for a facilities person
//	    source: nmap-service-probes at db4aefdd, line 9762   # where the habit was learnt, to be opened
//	    date: 2026-11-22
//	    examples:                     # each must match: a text for a rule on one field, else field: text
//	      - App-webs/
//	      - {http.server: "App-webs/", http.title: "x"}
//	    counter:                      # each must not match; optional where the rule is weak or its maker on no list
//	      - webserver
//
// A pattern is RE2 and ignores case. Its captures are $1 to $9, numbered over
// all patterns of match in order. A field is KIND.NAME; a list of fields
// ([isapi.model, onvif.model]) means any of them. Rules on http apply to https
// records too. A file without maker, names and makes holds rules that name no
// maker, only a class, a model or a serial.
//
// What a rule may not do: a favicon, and what an owner can type (see
// typedFields), is weak at most; a relabel known from memory only is weak at
// most; a brand must be in some file's brands or be a maker.

//go:embed rules/*.yml
var shipped embed.FS

// Ruleset is the compiled rules. It does not change after Load and may be
// used by many goroutines at a time.
type Ruleset struct {
	makers []*maker
	byName map[string]int // canonical name -> index into makers
	rules  []*rule
	index  *index
	brands map[string]string // lower-case brand -> canonical spelling
	labels map[int][]string  // head of a group -> the group's own labels

	registrants map[string]int // exact IEEE registrant -> index into makers
	registry    Registry
	states      statePool
	date        string // of the newest rule
}

// Registry looks a hardware address up in the IEEE's registry; ok is false
// where the block is not assigned or its holder is private.
type Registry func(mac [6]byte) (registrant string, ok bool)

// Default returns the shipped rules and those of the given user files, which
// may be glob patterns.
func Default(registry Registry, files ...string) (*Ruleset, error) {
	sources, err := shippedSources()
	if err != nil {
		return nil, err
	}
	own, err := readSources(files)
	if err != nil {
		return nil, err
	}
	return load(registry, append(sources, own...))
}

// Check reads the given rule files together with the shipped ones, runs every
// example and tells everything that is wrong, one error per fault, each with
// file and line.
func Check(files ...string) []error {
	sources, err := shippedSources()
	if err != nil {
		return []error{err}
	}
	own, err := readSources(files)
	if err == nil && len(files) > 0 && len(own) == 0 {
		err = fmt.Errorf("fingerprint: rules %s: no such file", strings.Join(files, " "))
	}
	if err != nil {
		return []error{err}
	}
	return check(append(sources, own...))
}

func check(sources []source) []error {
	set, files, err := parse(sources)
	if err != nil {
		return flatten(err)
	}
	var faults []error
	for _, f := range files {
		faults = append(faults, set.examples(f)...)
	}
	return faults
}

func flatten(err error) []error {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		return many.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// source is one rule file's name and text.
type source struct {
	name string // as errors cite it
	text []byte
}

func shippedSources() ([]source, error) {
	entries, err := shipped.ReadDir("rules")
	if err != nil {
		return nil, fmt.Errorf("fingerprint: read the shipped rules: %w", err)
	}
	var out []source
	for _, e := range entries {
		text, err := shipped.ReadFile("rules/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("fingerprint: read the shipped rules: %w", err)
		}
		out = append(out, source{name: e.Name(), text: text})
	}
	return out, nil
}

func readSources(patterns []string) ([]source, error) {
	var out []source
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("fingerprint: rules %s: %w", p, err)
		}
		if len(names) == 0 && !strings.ContainsAny(p, "*?[") {
			names = []string{p}
		}
		for _, name := range names {
			text, err := readRules(name)
			if err != nil {
				return nil, fmt.Errorf("fingerprint: read rules: %w", err)
			}
			out = append(out, source{name: name, text: text})
		}
	}
	return out, nil
}

// maxRuleFile bounds a rule file, in bytes: fifty times the largest shipped.
const maxRuleFile = 4 << 20

func readRules(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxRuleFile+1))
	if err == nil && len(text) > maxRuleFile {
		err = fmt.Errorf("%s is larger than the 4 MiB that a rule file may have", name)
	}
	return text, err
}

// stem is the part of a rule's id that its file gives.
func stem(name string) string {
	base := path.Base(filepath.ToSlash(name))
	return strings.TrimSuffix(strings.TrimSuffix(base, ".yaml"), ".yml")
}

func load(registry Registry, sources []source) (*Ruleset, error) {
	set, files, err := parse(sources)
	if err != nil {
		return nil, err
	}
	set.registry = registry
	for _, f := range files {
		for n := range f.Rules {
			if date := f.Rules[n].Date; date > set.date && len(date) == len(time.DateOnly) {
				set.date = date
			}
		}
	}
	return set, nil
}

func parse(sources []source) (*Ruleset, []*ruleFile, error) {
	var files []*ruleFile
	var faults []error
	for _, s := range sources {
		f, errs := parseRuleFile(s)
		faults = append(faults, errs...)
		if f != nil {
			files = append(files, f)
		}
	}
	set, errs := compile(files)
	if faults = append(faults, errs...); len(faults) > 0 {
		return nil, nil, errors.Join(faults...)
	}
	return set, files, nil
}

// Makers lists the canonical names of all makers, sorted.
func (r *Ruleset) Makers() []string {
	out := make([]string, 0, len(r.makers))
	for _, m := range r.makers {
		out = append(out, m.name)
	}
	return out
}

// Brand returns the canonical spelling of a brand or maker, or "".
func (r *Ruleset) Brand(name string) string { return r.brands[strings.ToLower(name)] }

// Rules is how many rules the set holds.
func (r *Ruleset) Rules() int { return len(r.rules) }

// Date is the day of the newest rule, YYYY-MM-DD.
func (r *Ruleset) Date() string { return r.date }
