// Package config reads the configuration file: one YAML document whose every
// key is known, whose every mistake is named with its line and column.
package config

import (
	"fmt"
	"io"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"camcensus/discovery"
)

// Config is the configuration of an agent (DESIGN section 6).
type Config struct {
	Site        Site        `yaml:"site"`
	Mode        Mode        `yaml:"mode"`
	Interfaces  []string    `yaml:"interfaces"`
	Networks    []Network   `yaml:"networks"`
	Exclude     []Exclusion `yaml:"exclude"`
	Discovery   Discovery   `yaml:"discovery"`
	Fingerprint Fingerprint `yaml:"fingerprint"`
	Policy      Policy      `yaml:"policy"`
	Inventory   Inventory   `yaml:"inventory"`
	Metrics     Metrics     `yaml:"metrics"`
	Web         Web         `yaml:"web"`

	// File is where it was read from, for errors about what is checked later.
	File string `yaml:"-"`
}

// Site is the property this agent serves; in YAML a mapping or just a name.
type Site struct {
	Name         string `yaml:"name"`
	Property     string `yaml:"property"`
	Organisation string `yaml:"organisation"`
	Contact      string `yaml:"contact"` // goes into the User-Agent, so that a SOC finds the owner
}

// Discovery says how hosts are looked for.
type Discovery struct {
	Interval         Duration             `yaml:"interval"`          // between the starts of two cycles
	IdentifyInterval Duration             `yaml:"identify_interval"` // between two questionings of a known host
	Rate             float64              `yaml:"rate"`              // packets per second, all sources together; 0 = no limit
	QuietHours       []QuietHours         `yaml:"quiet_hours"`       // local time; listen only
	Sources          map[string]yaml.Node `yaml:"sources"`           // decoded by each protocol's descriptor
}

// Fingerprint says how hosts are asked who made them.
type Fingerprint struct {
	Timeout         Duration `yaml:"timeout"`          // of one question
	Concurrency     int      `yaml:"concurrency"`      // hosts at a time
	Rules           []string `yaml:"rules"`            // glob patterns of the user's own rule files
	CredentialsFile string   `yaml:"credentials_file"` // read-only ONVIF and ISAPI accounts; off when empty
}

// Policy says which ban lists judge.
type Policy struct {
	Lists []string `yaml:"lists"`
	Files []string `yaml:"files"` // glob patterns of the user's own lists
}

// Inventory says what is remembered, and for how long.
type Inventory struct {
	MissingAfter int       `yaml:"missing_after"` // completed coverages without a sign
	Retention    Retention `yaml:"retention"`
	Hostnames    Hostnames `yaml:"hostnames"`
}

// Retention of devices that are gone; 0 keeps for ever.
type Retention struct {
	Unclassified Duration `yaml:"unclassified"`
	NonCamera    Duration `yaml:"non_camera"`
	RandomMAC    Duration `yaml:"random_mac"`
	Devices      Duration `yaml:"devices"`
}

// Metrics bounds the series with a device label.
type Metrics struct {
	DeviceSeries    DeviceSeries `yaml:"device_series"`
	MaxDeviceSeries int          `yaml:"max_device_series"`
}

// Web says how the page speaks and who may change things.
type Web struct {
	Language Language `yaml:"language"`
	Editors  []string `yaml:"editors"`
}

// Default returns the configuration of an agent without a file.
func Default() Config {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "site"
	}
	return Config{
		Site:     Site{Name: host},
		Mode:     ModeActive,
		Networks: []Network{Connected},
		Discovery: Discovery{
			Interval:         Duration(15 * time.Minute),
			IdentifyInterval: Duration(24 * time.Hour),
			Rate:             500,
		},
		Fingerprint: Fingerprint{Timeout: Duration(3 * time.Second), Concurrency: 64},
		Policy:      Policy{Lists: []string{"ca-hikvision-2025"}},
		Inventory: Inventory{
			MissingAfter: 3,
			Retention: Retention{
				Unclassified: Duration(30 * 24 * time.Hour),
				NonCamera:    Duration(30 * 24 * time.Hour),
				RandomMAC:    Duration(24 * time.Hour),
			},
			Hostnames: HostnamesCameras,
		},
		Metrics: Metrics{DeviceSeries: DeviceSeriesFlagged, MaxDeviceSeries: 2000},
		Web:     Web{Language: LanguageAuto},
	}
}

// Load reads the file at path over the defaults. Every mistake is reported at
// once, as "FILE:LINE:COLUMN: what is wrong".
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	return Read(path, f)
}

// Read is Load on any reader; name stands in the errors.
func Read(name string, r io.Reader) (Config, error) {
	c := Default()
	c.File = name
	dec := yaml.NewDecoder(io.LimitReader(r, maxFile))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case err == io.EOF:
		return c, nil
	case err != nil:
		return Config{}, fmt.Errorf("config: %s: %w", name, err)
	}
	if err := dec.Decode(new(yaml.Node)); err != io.EOF {
		return Config{}, fmt.Errorf("config: %s: a second document (---) is not read: keep one", name)
	}
	if err := Decode(&doc, &c); err != nil {
		return Config{}, located(name, err)
	}
	if err := c.check(&doc); err != nil {
		return Config{}, located(name, err)
	}
	return c, nil
}

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Exclusions returns the exclude list as the scope takes it.
func (c Config) Exclusions() []discovery.Exclusion {
	out := make([]discovery.Exclusion, 0, len(c.Exclude))
	for _, e := range c.Exclude {
		out = append(out, discovery.Exclusion{Match: e.Match, Reason: e.Reason, By: e.By})
	}
	return out
}

// Locate puts the file's name before each mistake of a part of it that was
// decoded later.
func (c Config) Locate(err error) error { return located(c.File, err) }

// NetworkStrings returns the scope's networks as written.
func (c Config) NetworkStrings() []string {
	out := make([]string, 0, len(c.Networks))
	for _, n := range c.Networks {
		out = append(out, string(n))
	}
	return out
}

// check holds what a single value cannot know.
func (c Config) check(doc *yaml.Node) error {
	var errs Errors
	atLeast := func(path string, ok bool, why string) {
		if !ok {
			errs = append(errs, at(find(doc, path), "%s: %s", path, why))
		}
	}
	atLeast("discovery.interval", c.Discovery.Interval >= Duration(time.Second), "must be at least 1s")
	atLeast("discovery.identify_interval", c.Discovery.IdentifyInterval >= Duration(time.Second), "must be at least 1s")
	atLeast("discovery.rate", c.Discovery.Rate >= 0, "must not be negative (0 = no limit)")
	atLeast("fingerprint.timeout", c.Fingerprint.Timeout >= Duration(100*time.Millisecond) && c.Fingerprint.Timeout <= Duration(time.Minute), "must be between 100ms and 1m")
	atLeast("fingerprint.concurrency", c.Fingerprint.Concurrency >= 1 && c.Fingerprint.Concurrency <= 1024, "must be between 1 and 1024")
	atLeast("inventory.missing_after", c.Inventory.MissingAfter >= 1, "must be at least 1")
	atLeast("metrics.max_device_series", c.Metrics.MaxDeviceSeries >= 0, "must not be negative")
	atLeast("networks", len(c.Networks) > 0, `must name a network or "connected"`)
	atLeast("site.name", c.Site.Name != "", "must not be empty")
	if len(errs) == 0 {
		return nil
	}
	return errs
}
