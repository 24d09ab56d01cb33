// Package deploy holds what runs, scrapes, alerts on and draws camcensus. Its
// tests hold these files against the tools that read them.
package deploy

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"camcensus/exporter"

	"go.yaml.in/yaml/v3"
)

// run runs a tool; where it is missing it fails with the remedy.
func run(t *testing.T, debianPackage, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed: apt-get install %s", name, debianPackage)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestPrometheusFiles(t *testing.T) {
	run(t, "prometheus", "promtool", "check", "config", "prometheus/prometheus.yml")
	run(t, "prometheus", "promtool", "check", "rules", "prometheus/rules.yml", "prometheus/alerts.yml")
}

func TestWebConfigExample(t *testing.T) {
	// The certificate is the user's; all else must pass.
	users := regexp.MustCompile(`(?m)^tls_server_config:\n(  .*\n)+`).ReplaceAllString(read(t, "web.yml"), "")
	path := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(path, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "prometheus", "promtool", "check", "web-config", path)
}

func TestAlertsFireAsTheyShould(t *testing.T) {
	run(t, "prometheus", "promtool", "test", "rules", "prometheus/alerts_test.yml")
}

func TestAlertmanagerExample(t *testing.T) {
	const config = "alertmanager/alertmanager.yml"
	run(t, "prometheus-alertmanager", "amtool", "check-config", config)
	for alert, receiver := range map[string]string{
		"CamcensusBannedDevice": "reviewers", "CamcensusRemovedDeviceReturned": "reviewers", "CamcensusAgentSilent": "operations",
	} {
		if got := run(t, "prometheus-alertmanager", "amtool", "config", "routes", "test", "--config.file="+config, "alertname="+alert); !strings.HasSuffix(strings.TrimSpace(got), receiver) {
			t.Errorf("%s goes to %s, want %s", alert, got, receiver)
		}
	}
}

func TestUnitIsHardened(t *testing.T) {
	run(t, "systemd", "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", "systemd/camcensus.service")
	unit := read(t, "systemd/camcensus.service")
	for _, line := range []string{"Type=notify", "ExecReload=/bin/kill -HUP $MAINPID", "AmbientCapabilities=CAP_NET_RAW", "CapabilityBoundingSet=CAP_NET_RAW",
		"StateDirectory=camcensus", "NoNewPrivileges=true", "ProtectSystem=strict"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestEveryYAMLFileParses(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		var content map[string]any
		if err := yaml.Unmarshal([]byte(read(t, path)), &content); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestComposeMountsWhatIsThere(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Volumes []string `yaml:"volumes"`
		} `yaml:"services"`
		Volumes map[string]any `yaml:"volumes"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yml")), &compose); err != nil {
		t.Fatal(err)
	}
	for name, service := range compose.Services {
		for _, volume := range service.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			_, declared := compose.Volumes[from]
			if _, err := os.Stat(from); err != nil && !declared {
				t.Errorf("%s mounts %s, which is neither a file nor a volume", name, from)
			}
		}
	}
}

// expressions are every PromQL text of the dashboard, by panel.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		UID        string `json:"uid"`
		Inputs     any    `json:"__inputs"`
		Templating struct {
			List []struct {
				Name       string `json:"name"`
				Type       string `json:"type"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
		Panels []struct {
			ID         int               `json:"id"`
			Title      string            `json:"title"`
			Type       string            `json:"type"`
			Datasource map[string]string `json:"datasource"`
			Targets    []struct {
				Expr       string            `json:"expr"`
				Datasource map[string]string `json:"datasource"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/dashboards/camcensus.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.UID == "" || dashboard.Inputs != nil || dashboard.Templating.List[0].Type != "datasource" {
		t.Error("the dashboard must bear a uid, no __inputs, and a data source variable: it is provisioned and imported")
	}
	found := make(map[string]string)
	ids := make(map[int]bool)
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s asks nothing", p.Title)
		}
		for i, target := range p.Targets {
			if target.Datasource["uid"] != "${datasource}" || p.Datasource["uid"] != "${datasource}" {
				t.Errorf("%s does not use the data source variable", p.Title)
			}
			found[fmt.Sprintf("%s, query %d", p.Title, i+1)] = target.Expr
		}
	}
	for _, v := range dashboard.Templating.List[1:] {
		found["variable "+v.Name] = strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ", "+v.Name+")")
	}
	return found
}

func TestDashboardQueriesParse(t *testing.T) {
	variables := strings.NewReplacer("$__rate_interval", "5m", "$site", ".*", "$policy", ".*")
	type rule struct {
		Record string            `yaml:"record"`
		Expr   string            `yaml:"expr"`
		Labels map[string]string `yaml:"labels"`
	}
	var rules []rule
	for panel, expr := range expressions(t) {
		rules = append(rules, rule{"dashboard:query", variables.Replace(expr), map[string]string{"panel": panel}})
	}
	if len(rules) < 15 {
		t.Fatalf("only %d queries", len(rules))
	}
	encoded, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "prometheus", "promtool", "check", "rules", path)
}

func TestEveryMetricThatIsNamedExists(t *testing.T) {
	texts := expressions(t)
	texts["rules"] = read(t, "prometheus/rules.yml")
	texts["alerts"] = read(t, "prometheus/alerts.yml")
	texts["tests of alerts"] = read(t, "prometheus/alerts_test.yml")
	word := regexp.MustCompile(`\b[a-z:]*camcensus_[a-z_:]+`)
	known := exporter.MetricNames()
	recorded := regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(texts["rules"], -1)
	for _, r := range recorded {
		known = append(known, r[1])
	}
	for where, text := range texts {
		for _, name := range word.FindAllString(text, -1) {
			base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			if !slices.Contains(known, name) && !slices.Contains(known, base) {
				t.Errorf("%s names %s, which is no metric", where, name)
			}
		}
	}
}

func TestEveryAlertIsExplained(t *testing.T) {
	book := read(t, "RUNBOOK.md")
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "prometheus/alerts.yml"), -1)
	if len(alerts) < 10 {
		t.Fatalf("only %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !strings.Contains(book, "\n## "+a[1]+"\n") {
			t.Errorf("RUNBOOK.md does not explain %s", a[1])
		}
		if !strings.Contains(read(t, "prometheus/alerts.yml"), "runbook_url: file:///usr/share/doc/camcensus/RUNBOOK.md#"+strings.ToLower(a[1])+"\n") {
			t.Errorf("%s does not point to the runbook", a[1])
		}
		if tests := read(t, "prometheus/alerts_test.yml"); !strings.Contains(tests, a[1]) {
			t.Errorf("no unit test names %s", a[1])
		}
	}
}
