package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/fingerprint/oui"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// Judge names and judges devices from their evidence: the rules and the
// policies of one configuration, immutable.
type Judge struct {
	rules    *fingerprint.Ruleset
	policies []*policy.Policy
	parsers  parsers
	registry *oui.Registry
	// Unused are the glob patterns that no file matches, with what they are of.
	Unused []string
}

// JudgeOptions say what a Judge goes by.
type JudgeOptions struct {
	Lists       []string // shipped policies, by name
	PolicyFiles []string // the user's own, glob patterns
	RuleFiles   []string // the user's own rules, glob patterns
	Registry    *oui.Registry
}

// NewJudge loads the shipped rules and the named policies, and the user's own
// files over them. A file that is not there is an error; a glob pattern may match
// none.
func NewJudge(o JudgeOptions) (*Judge, error) {
	userRules, noRules, err := expand("rules", o.RuleFiles)
	if err != nil {
		return nil, err
	}
	if o.Registry == nil {
		o.Registry = oui.Default()
	}
	rules, err := fingerprint.Default(o.Registry.Registrant, userRules...)
	if err != nil {
		return nil, err
	}
	userPolicies, noPolicies, err := expand("policy", o.PolicyFiles)
	if err != nil {
		return nil, err
	}
	policies, err := policy.Load(o.Lists, userPolicies)
	if err != nil {
		return nil, err
	}
	return &Judge{
		rules: rules, policies: policies, registry: o.Registry, parsers: newParsers(Protocols), Unused: append(noRules, noPolicies...),
	}, nil
}

// RegistryFile is the imported IEEE registry in the storage directory.
const RegistryFile = "oui.bin"

// Registry returns the registry imported into dir, or the shipped one where
// none was, or where the shipped one is newer.
func Registry(dir string) (*oui.Registry, error) {
	shipped := oui.Default()
	if dir == "" {
		return shipped, nil
	}
	f, err := os.Open(filepath.Join(dir, RegistryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return shipped, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	imported, err := oui.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if imported.Date() < shipped.Date() {
		return shipped, nil
	}
	return imported, nil
}

// Assess adds up the evidence and judges the outcome under every policy.
func (j *Judge) Assess(ev []fingerprint.Evidence, det *inventory.Determination, acquired, now time.Time) (fingerprint.Identity, []policy.Verdict) {
	id := j.rules.Identify(ev)
	verdicts := make([]policy.Verdict, 0, len(j.policies))
	finding := ""
	if det != nil {
		finding = det.Manufacturer
	}
	for _, p := range j.policies {
		verdicts = append(verdicts, policy.Judge(p, id, finding, acquired, now))
	}
	return id, verdicts
}

// Settled tells whether further questions to the host could change a verdict
// or its class.
func (j *Judge) Settled(id fingerprint.Identity) bool { return policy.Settled(j.policies, id) }

// Fields parses one record, for docs and tests.
func (j *Judge) Fields(r discovery.Record) []fingerprint.Evidence {
	return j.parsers.Evidence(r)
}

// expand resolves glob patterns to files, in order of name, and tells those that
// none matches.
func expand(what string, patterns []string) (files, unused []string, err error) {
	for _, p := range patterns {
		got, err := filepath.Glob(p)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: pattern %q: %w", what, p, err)
		}
		if len(got) == 0 {
			if !strings.ContainsAny(p, "*?[") {
				return nil, nil, fmt.Errorf("%s: %s: no such file", what, p)
			}
			unused = append(unused, what+": no file matches "+p)
		}
		sort.Strings(got)
		files = append(files, got...)
	}
	return files, unused, nil
}

// AssessDevice is Assess with what people noted of the device.
func (j *Judge) AssessDevice(d inventory.Device, ev []fingerprint.Evidence, now time.Time) (fingerprint.Identity, []policy.Verdict) {
	return j.Assess(ev, d.Determination, acquired(d), now)
}

// judgedBy names in one line all that a judgement rests on beside the device
// itself: this program, the policies, the rules and the registry, and the day,
// since policies have dates and evidence grows old.
func (a *Agent) judgedBy() string {
	c, j := a.config(), a.judge()
	sum := sha256.New()
	fmt.Fprintln(sum, a.opts.Version, a.opts.Revision, a.now().Format(time.DateOnly), j.registry.Version(), j.registry.Date(), c.Policy.Lists, c.Inventory.Hostnames)
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	files := []string{self}
	for _, patterns := range [][]string{c.Policy.Files, c.Fingerprint.Rules} {
		more, _, err := expand("rules", patterns)
		if err != nil {
			return ""
		}
		files = append(files, more...)
	}
	for _, name := range files {
		st, err := os.Stat(name)
		if err != nil {
			return ""
		}
		fmt.Fprintln(sum, name, st.Size(), st.ModTime().UnixNano())
	}
	return hex.EncodeToString(sum.Sum(nil))
}
