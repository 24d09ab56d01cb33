package snmp

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, out)
	}
}

// plug makes a router of its own namespace at 10.77.0.1, with hosts in
// 10.79.0.0/24 that it has spoken with, and snmpd on it.
func plug(t *testing.T) {
	t.Helper()
	for _, line := range []string{
		"netns add router", "link add cam0 type veth peer name wan netns router", "addr add 10.77.0.2/24 dev cam0", "link set cam0 up",
		"-n router link set lo up", "-n router addr add 10.77.0.1/24 dev wan", "-n router link set wan up",
		"-n router link add lan type veth peer name floor", "-n router addr add 10.79.0.1/24 dev lan",
		"-n router link set lan up", "-n router link set floor up", "route add 10.79.0.0/24 via 10.77.0.1",
		"-n router neigh add 10.79.0.31 lladdr 44:19:b6:01:02:03 dev lan nud reachable",
		"-n router neigh add 10.79.0.32 lladdr ac:cc:8e:00:00:01 dev lan nud stale",
		"-n router neigh add 10.79.0.40 lladdr ac:cc:8e:00:00:09 dev lan nud reachable",
		"-n router neigh add 192.168.9.9 lladdr ac:cc:8e:00:00:02 dev lan nud reachable", // not in scope
	} {
		ip(t, line)
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", "cam0").Run()
		_ = exec.Command("ip", "netns", "del", "router").Run()
	})
	dir := t.TempDir()
	conf := write(t, "snmpd.conf", "agentaddress udp:161\nsysName router-1\nrocommunity census-ro\n"+
		"createUser census SHA-256 \"authauth9\" AES \"privpriv9\"\nrouser census priv\n", 0o600)
	cmd := exec.Command("ip", "netns", "exec", "router", "snmpd", "-f", "-Lo", "-C", "-c", conf, "-p", filepath.Join(dir, "pid"))
	cmd.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start snmpd: %v (install the package snmpd)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func wire(t *testing.T, o discovery.WireOptions, sighted bool) *discovery.Wire {
	t.Helper()
	all, err := discovery.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	scope, err := discovery.NewScope(all, discovery.ScopeOptions{
		Networks: []string{"connected", "10.79.0.0/24"}, Exclude: []discovery.Exclusion{{Match: "10.79.0.40"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := discovery.NewWire(scope, o)
	if sighted {
		w.Sighted(netip.MustParseAddr("10.77.0.1"))
	}
	return w
}

func source(t *testing.T, w *discovery.Wire, r Router) *Source {
	t.Helper()
	set := Protocol.Settings().(*Settings)
	set.Routers, set.Timeout = []Router{r}, 500*time.Millisecond
	s, err := Protocol.New(discovery.Env{Wire: w.For(name), Log: zap.NewNop(), Now: time.Now}, set)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Source)
}

// ask asks until snmpd is up.
func ask(t *testing.T, s *Source) map[string]string {
	t.Helper()
	found := map[string]string{}
	for range 10 {
		var mu sync.Mutex
		err := s.Ask(t.Context(), discovery.Round{}, func(s discovery.Sighting) {
			mu.Lock()
			defer mu.Unlock()
			if s.IP.IsValid() {
				found[s.IP.String()] = s.MAC.String()
				if s.Source != name || s.Kind != name || s.Solicited || !s.Hearsay {
					t.Errorf("%+v", s)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	return found
}

func TestSnmpdGivesItsTableByBothVersions(t *testing.T) {
	plug(t)
	v2 := write(t, "v2.yml", "community: census-ro\n", 0o600)
	v3 := write(t, "v3.yml", "{user: census, auth: sha256, auth_password: authauth9, privacy: aes, privacy_password: privpriv9}\n", 0o600)
	for _, r := range []Router{
		{Address: "10.77.0.1", Version: "2c", CredentialsFile: v2},
		{Address: "10.77.0.1", Version: "3", CredentialsFile: v3},
	} {
		t.Run(r.Version, func(t *testing.T) {
			w := wire(t, discovery.WireOptions{Rate: 500}, true)
			s := source(t, w, r)
			found := ask(t, s)
			for ip, mac := range map[string]string{"10.79.0.31": "44:19:b6:01:02:03", "10.79.0.32": "ac:cc:8e:00:00:01"} {
				if found[ip] != mac {
					t.Errorf("%s is at %q, want %s", ip, found[ip], mac)
				}
			}
			if len(found) != 3 { // the excluded one is the agent's to drop
				t.Errorf("found %v", found)
			}
			if st := s.Status(); len(st) != 1 || !st[0].Up {
				t.Errorf("status %+v", st)
			}
			if c := w.Counts(); len(c) != 1 || c[0].Sent < uint64(len(columns)) {
				t.Errorf("charged %+v", c)
			}
		})
	}
	t.Run("wrong community", func(t *testing.T) {
		wrong := write(t, "wrong.yml", "community: something\n", 0o600)
		s := source(t, wire(t, discovery.WireOptions{}, true), Router{Address: "10.77.0.1", Version: "2c", CredentialsFile: wrong})
		if err := s.Ask(t.Context(), discovery.Round{}, func(s discovery.Sighting) { t.Errorf("%+v", s) }); err != nil {
			t.Fatal(err)
		}
		if st := s.Status(); len(st) != 1 || st[0].Up || !strings.Contains(st[0].Reason, "10.77.0.1") {
			t.Errorf("status %+v", st)
		}
	})
}

func TestNobodyOutsideTheScopeAndNothingWhileListeningIsAsked(t *testing.T) {
	plug(t)
	file := write(t, "v2.yml", "community: census-ro\n", 0o600)
	sink := func(s discovery.Sighting) { t.Errorf("%+v", s) }
	elsewhere := wire(t, discovery.WireOptions{}, true)
	for _, address := range []string{"192.168.9.1", "10.79.0.40"} {
		s := source(t, elsewhere, Router{Address: address, Version: "2c", CredentialsFile: file})
		if err := s.Ask(t.Context(), discovery.Round{}, sink); err != nil {
			t.Fatal(err)
		}
		if st := s.Status(); len(st) != 1 || st[0].Up {
			t.Errorf("%s: %+v", address, st)
		}
	}
	quiet := wire(t, discovery.WireOptions{ListenOnly: true}, true)
	if err := source(t, quiet, Router{Address: "10.77.0.1", Version: "2c", CredentialsFile: file}).Ask(t.Context(), discovery.Round{}, sink); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*discovery.Wire{elsewhere, quiet} {
		for _, c := range w.Counts() {
			if c.Sent > 0 {
				t.Errorf("sent %+v", c)
			}
		}
	}
	planned := 0
	dry := wire(t, discovery.WireOptions{Plan: func(discovery.Packet) { planned++ }}, false)
	if err := source(t, dry, Router{Address: "10.77.0.1", Version: "2c", CredentialsFile: file}).Ask(t.Context(), discovery.Round{}, sink); err != nil || planned != 1 {
		t.Errorf("%d planned, %v", planned, err)
	}
}

func TestMistakesInTheSettingsAreNamed(t *testing.T) {
	good := write(t, "good.yml", "community: census-ro\n", 0o600)
	for _, tt := range []struct{ name, want string }{
		{"no routers", "no routers"}, {"address", "no IP address"}, {"version", "version"}, {"open to others", "chmod 600"},
		{"no such file", "no such file"}, {"unknown key", "communty"}, {"no community", "no community"}, {"short password", "8 characters"},
	} {
		set := Protocol.Settings().(*Settings)
		r := Router{Address: "10.77.0.1", Version: "2c", CredentialsFile: good}
		switch tt.name {
		case "address":
			r.Address = "router-1"
		case "version":
			r.Version = "1"
		case "open to others":
			r.CredentialsFile = write(t, "open.yml", "community: x\n", 0o644)
		case "no such file":
			r.CredentialsFile = good + ".gone"
		case "unknown key":
			r.CredentialsFile = write(t, "key.yml", "communty: x\n", 0o600)
		case "no community":
			r.CredentialsFile = write(t, "user.yml", "user: x\n", 0o600)
		case "short password":
			r.Version, r.CredentialsFile = "3", write(t, "short.yml", "{user: x, auth: sha, auth_password: short}\n", 0o600)
		}
		if tt.name != "no routers" {
			set.Routers = []Router{r}
		}
		_, err := Protocol.New(discovery.Env{Wire: nil, Log: zap.NewNop(), Now: time.Now}, set)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
