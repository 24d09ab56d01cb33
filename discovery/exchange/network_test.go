//go:build linux

package exchange_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"camcensus/discovery"
)

func fixture(t *testing.T, room, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", room, "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func protocol(t *testing.T, name string) discovery.Protocol {
	t.Helper()
	for _, p := range rooms() {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no protocol %s", name)
	return discovery.Protocol{}
}

// exchanges is one host for each protocol, alone in speaking it.
func exchanges(t *testing.T) []struct {
	protocol string
	host     speaker
	field    discovery.Field
} {
	says := func(prefix string, reply []byte) func([]byte) []byte {
		return func(request []byte) []byte {
			if !bytes.Contains(request, []byte(prefix)) {
				return nil
			}
			return reply
		}
	}
	wsd := fixture(t, "wsd", "hikvision_probematch.xml")
	return []struct {
		protocol string
		host     speaker
		field    discovery.Field
	}{
		{"wsd", speaker{ip: "10.77.0.21", port: 3702, groups: []string{"239.255.255.250"}, answer: says("/2005/04/discovery/Probe<", wsd)}, discovery.Field{Name: "scope.hardware", Value: "DS-2CD2385G1-I"}},
		{"ssdp", speaker{ip: "10.77.0.41", port: 1900, groups: []string{"239.255.255.250"}, answer: says("M-SEARCH", fixture(t, "ssdp", "axis.txt"))}, discovery.Field{Name: "mac", Value: "ac:cc:8e:00:00:01"}},
		{"sadp", speaker{ip: "10.77.0.22", port: 37020, groups: []string{"239.255.255.250"}, answer: says(">inquiry<", fixture(t, "sadp", "hikvision.xml"))}, discovery.Field{Name: "model", Value: "DS-2CD2385G1-I"}},
		{"dhip", speaker{ip: "10.77.0.31", port: 37810, groups: []string{"239.255.255.251"}, answer: says("DHDiscover.search", fixture(t, "dhip", "dahua.bin"))}, discovery.Field{Name: "vendor", Value: "Dahua"}},
		{"tvt", speaker{ip: "10.77.0.51", port: 23456, groups: []string{"234.55.55.55"}, from: 9407, to: 23456, answer: says("MHED\x09", fixture(t, "native", "tvt.bin"))}, discovery.Field{Name: "brand", Value: "DVC"}},
		{"xmeye", speaker{ip: "10.77.0.52", port: 34569, to: 34569, answer: says("\xfa\x05", fixture(t, "native", "xmeye.bin"))}, discovery.Field{Name: "mac", Value: "00:12:31:0a:0b:0c"}},
		{"hanwha", speaker{ip: "10.77.0.53", port: 7701, to: 7711, answer: says("\x01", fixture(t, "native", "hanwha.bin"))}, discovery.Field{Name: "model", Value: "QNV-8080R"}},
		{"bosch", speaker{ip: "10.77.0.54", port: 1757, to: 1758, answer: says("\xff\x00\x06\xde", fixture(t, "native", "bosch.xml"))}, discovery.Field{Name: "model", Value: "FLEXIDOME IP 4000i"}},
		{"vivotek", speaker{ip: "10.77.0.55", port: 10000, answer: says("\x4a\x5d\x8f\x1c", fixture(t, "native", "vivotek.bin"))}, discovery.Field{Name: "model", Value: "FD8134"}},
		{"sony", speaker{ip: "10.77.0.56", port: 2380, answer: says("ENQ:", fixture(t, "native", "sony.bin"))}, discovery.Field{Name: "model", Value: "SNC-DH110"}},
		{"panasonic", speaker{ip: "10.77.0.57", port: 10670, to: 10669, answer: says("\x00\x0d", fixture(t, "native", "panasonic.bin"))}, discovery.Field{Name: "model", Value: "WV-S2131L"}},
		{"foscam", speaker{ip: "10.77.0.58", port: 10000, to: 10000, answer: says("MO_I", fixture(t, "native", "foscam_masked.bin"))}, discovery.Field{Name: "mac", Value: "00:a0:c5:0a:0b:0c"}},
		{"ubiquiti", speaker{ip: "10.77.0.59", port: 10001, answer: says("\x01\x00\x00\x00", fixture(t, "native", "ubiquiti.bin"))}, discovery.Field{Name: "model", Value: "UVC G3 Dome"}},
		{"tplink", speaker{ip: "10.77.0.60", port: 20002, answer: says("\x46\x3c\xb5\xd3", fixture(t, "native", "tplink.bin"))}, discovery.Field{Name: "class", Value: "SMART.IPCAMERA"}},
		{"dvrip", speaker{ip: "10.77.0.61", port: 5050, to: 5050, answer: says("\xa3\x01", fixture(t, "native", "dvrip.bin"))}, discovery.Field{Name: "serial", Value: "PZC3LW00000001"}},
	}
}

func TestEveryProtocolFindsTheHostThatSpeaksItAlone(t *testing.T) {
	far := newFarSide(t)
	list := exchanges(t)
	var addrs []string
	for _, e := range list {
		addrs = append(addrs, e.host.ip+"/24")
	}
	plug(t, far, "cam0", "10.77.0.1/24", addrs...)
	wire := newWire(t)
	for _, e := range list {
		far.speak(t, "cam0", e.host)
	}
	var found catch
	var asking sync.WaitGroup
	began := time.Now()
	sources := map[string]discovery.Source{}
	for _, p := range rooms() {
		s := source(t, p, wire)
		sources[p.Name] = s
		asking.Go(func() {
			if err := s.Ask(context.Background(), discovery.Round{}, found.sink); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		})
	}
	asking.Wait()
	if took := time.Since(began); took > 6500*time.Millisecond {
		t.Errorf("asking took %v", took)
	}
	for _, e := range list {
		p := protocol(t, e.protocol)
		seen := found.of(e.protocol, e.host.ip)
		if len(seen) == 0 {
			t.Errorf("%s: %s was not found; status %v", e.protocol, e.host.ip, sources[e.protocol].Status())
			continue
		}
		if !has(p.Fields(e.protocol, seen[0].Raw), e.field) {
			t.Errorf("%s: no %v in %v", e.protocol, e.field, p.Fields(e.protocol, seen[0].Raw))
		}
		if seen[0].Solicited || seen[0].Interface != "cam0" {
			t.Errorf("%s: solicited %v on %q", e.protocol, seen[0].Solicited, seen[0].Interface)
		}
	}
	for name, s := range sources {
		for _, state := range s.Status() {
			if !state.Up {
				t.Errorf("%s is down on %s: %s", name, state.Interface, state.Reason)
			}
		}
	}
	total := uint64(0)
	for _, c := range wire.Counts() {
		total += c.Sent
		if len(c.Rejected) > 0 {
			t.Errorf("%s: rejected %v", c.Source, c.Rejected)
		}
	}
	if total > 58 { // 60 less two for NDP
		t.Errorf("%d group packets in one cycle", total)
	}
	t.Logf("%d packets", total)
}

func has(fields []discovery.Field, want discovery.Field) bool {
	for _, f := range fields {
		if f == want {
			return true
		}
	}
	return false
}

func TestSecretsNeverBecomeEvidence(t *testing.T) {
	far := newFarSide(t)
	plug(t, far, "cam0", "10.77.0.1/24", "10.77.0.22/24", "10.77.0.54/24", "10.77.0.60/24")
	wire := newWire(t)
	secrets := map[string][]string{"sadp": {"00000000000000000000000000000000"}, "bosch": {"DEADBEEF00"}, "tplink": {"FEDCBA9876543210", "0123456789abcdef"}}
	var found catch
	var asking sync.WaitGroup
	for _, e := range exchanges(t) {
		if secrets[e.protocol] == nil {
			continue
		}
		far.speak(t, "cam0", e.host)
		s := source(t, protocol(t, e.protocol), wire)
		asking.Go(func() { s.Ask(context.Background(), discovery.Round{}, found.sink) })
	}
	asking.Wait()
	for kind, words := range secrets {
		seen := found.of(kind, "")
		if len(seen) == 0 {
			t.Errorf("%s: nothing found", kind)
		}
		for _, s := range seen {
			for _, word := range words {
				if strings.Contains(string(s.Raw), word) {
					t.Errorf("%s: evidence holds %s", kind, word)
				}
			}
		}
	}
}
