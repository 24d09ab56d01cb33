package neighbor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTablesOfEveryFormAreRead(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tests := []struct{ name, text, want string }{
		{"CSV with a heading", "Hostname,IP,MAC\ncam-hall,10.20.0.31,44:19:b6:01:02:03\n,10.20.0.32,4419.b601.0204\n",
			"10.20.0.31 44:19:b6:01:02:03 cam-hall|10.20.0.32 44:19:b6:01:02:04 "},
		{"CSV without", "10.20.0.31,44-19-B6-01-02-03,cam-hall\n", "10.20.0.31 44:19:b6:01:02:03 cam-hall"},
		{"semicolons", "ip;mac\n10.20.0.31;4419b6010203\n", "10.20.0.31 44:19:b6:01:02:03 "},
		{"tabs and other columns", "IP\tAge\tMAC\tInterface\n10.20.0.31\t4\t4419.b601.0203\tVlan20\n", "10.20.0.31 44:19:b6:01:02:03 "},
		{"IPv6", "fd00::9,44:19:b6:01:02:03\n", "fd00::9 44:19:b6:01:02:03 "},
		{"what is no host", "10.20.0.31,ff:ff:ff:ff:ff:ff\n10.20.0.32,01:00:5e:00:00:01\n239.1.1.1,44:19:b6:01:02:03\nx,y\n", ""},
		{"control characters", "10.20.0.31,44:19:b6:01:02:03,a\x1b[31mb\n", "10.20.0.31 44:19:b6:01:02:03 a [31mb"},
		{"dnsmasq", "1795450000 44:19:b6:01:02:03 10.20.0.31 cam-hall 01:44:19:b6:01:02:03\n0 44:19:b6:01:02:04 10.20.0.32 * *\n" +
			"1700000000 44:19:b6:01:02:05 10.20.0.33 gone *\nduid 00:01\n", "10.20.0.31 44:19:b6:01:02:03 cam-hall|10.20.0.32 44:19:b6:01:02:04 "},
		{"ISC dhcpd", "# The format of this file is documented in dhcpd.leases(5)\nauthoring-byte-order little-endian;\n\n" +
			iscLease("10.20.0.31", "44:19:b6:01:02:03", "active", "2026/11/23 13:00:00") +
			iscLease("10.20.0.32", "44:19:b6:01:02:04", "active", "2026/11/23 13:00:00") +
			iscLease("10.20.0.32", "44:19:b6:01:02:04", "free", "2026/11/23 13:00:00") +
			iscLease("10.20.0.33", "44:19:b6:01:02:05", "active", "2026/11/23 11:00:00"),
			"10.20.0.31 44:19:b6:01:02:03 cam-hall"},
		{"nothing", "\n# empty\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leases, err := parseTable(strings.NewReader(tt.text), now)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range leases {
				got = append(got, fmt.Sprintf("%s %s %s", l.ip, l.mac, l.hostname))
			}
			if s := strings.Join(got, "|"); s != tt.want {
				t.Errorf("read %q, want %q", s, tt.want)
			}
		})
	}
}

func iscLease(ip, mac, state, ends string) string {
	return "lease " + ip + " {\n  starts 1 2026/11/23 10:00:00;\n  ends 1 " + ends + ";\n  binding state " + state + ";\n  next binding state free;\n" +
		"  hardware ethernet " + mac + ";\n  client-hostname \"cam-hall\";\n}\n"
}

func TestAnOldTableIsNotBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "arp.csv")
	if err := os.WriteFile(path, []byte("10.20.0.31,44:19:b6:01:02:03\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if leases, _, err := readTable(path, time.Now()); err != nil || len(leases) != 1 {
		t.Errorf("%v, %v", leases, err)
	}
	if _, _, err := readTable(path, time.Now().Add(25*time.Hour)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("an old table: %v", err)
	}
	if _, _, err := readTable(path+".gone", time.Now()); err == nil {
		t.Error("a missing table is no error")
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("a,b\n10.20.0.31,44:19:b6:01:02:03\n")
	f.Add("1795450000 44:19:b6:01:02:03 10.20.0.31 cam *\n")
	f.Add(iscLease("10.20.0.31", "44:19:b6:01:02:03", "active", "2026/11/23 13:00:00"))
	f.Fuzz(func(t *testing.T, text string) {
		leases, _ := parseTable(strings.NewReader(text), time.Unix(0, 0))
		for _, l := range leases {
			if !l.ip.IsValid() || !unicastMAC(l.mac) || len(l.hostname) > 253 {
				t.Errorf("%+v", l)
			}
		}
	})
}
