package snmp

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// recorded reads a walk as snmpwalk -On prints it.
func recorded(t testing.TB, name string) tables {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := tables{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		oid, value, ok := strings.Cut(lines.Text(), " = ")
		kind, text, typed := strings.Cut(value, ": ")
		if !ok || !typed {
			t.Fatalf("%s: %q", name, lines.Text())
		}
		var octets []byte
		var number int64
		switch kind {
		case "STRING":
			octets = []byte(strings.Trim(text, `"`))
		case "Hex-STRING":
			if octets, err = hex.DecodeString(strings.ReplaceAll(text, " ", "")); err != nil {
				t.Fatal(err)
			}
		case "INTEGER":
			number, err = strconv.ParseInt(regexp.MustCompile(`-?\d+`).FindString(text[strings.IndexByte(text, '(')+1:]), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, column := range columns {
			out.add(column, oid, octets, number)
		}
	}
	return out
}

func TestBindingsAreWhatTheRouterLearnt(t *testing.T) {
	var got []string
	for _, b := range recorded(t, "core.walk").bindings() {
		got = append(got, b.ip.String()+" "+net.HardwareAddr(b.mac[:]).String())
	}
	slices.Sort(got)
	want := []string{
		"10.79.0.31 44:19:b6:01:02:03", "10.79.0.32 ac:cc:8e:00:00:01", // dynamic; static and empty ones are none
		"10.79.0.34 ac:cc:8e:00:00:02", "fd79::9 ac:cc:8e:00:00:04", // stale and reachable; invalid is none
	}
	if !slices.Equal(got, want) {
		t.Errorf("bindings %q, want %q", got, want)
	}
}

func TestTheNearestPortIsToldForEachMAC(t *testing.T) {
	var all []map[[6]byte]place
	for _, name := range []string{"core.walk", "access.walk"} {
		walk := recorded(t, name)
		all = append(all, walk.ports(walk.name(netip.MustParseAddr("10.77.0.1"))))
	}
	at := nearest(all)
	var got []string
	for _, mac := range sorted(at) {
		got = append(got, net.HardwareAddr(mac[:]).String()+" "+at[mac])
	}
	want := []string{
		"00:0c:42:09:09:09 sw-lobby Gi1/0/24 (towards another switch)",
		"00:0c:42:09:09:0a sw-lobby Gi1/0/24 (towards another switch)",
		"02:00:00:00:00:01 core port 9",
		"44:19:b6:01:02:03 sw-lobby Gi1/0/7", // core sees it at ether3 too, beside another
		"ac:cc:8e:00:00:01 core ether3",      // sw-lobby sees it only towards the core
	}
	if !slices.Equal(got, want) {
		t.Errorf("ports\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestHostileTablesAreBounded(t *testing.T) {
	walk := tables{}
	kept := 0
	for n := range 2 * maxRows {
		oid := fmt.Sprintf("%s.20.10.%d.%d.%d", oidMediaPhys, n>>16, n>>8&255, n&255)
		if !walk.add(oidMediaPhys, oid, []byte{2, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}, 0) {
			break
		}
		kept++
	}
	if kept > maxRows || len(walk[oidMediaPhys]) > maxRows {
		t.Errorf("%d rows kept", len(walk[oidMediaPhys]))
	}
	walk.add(oidSysName, oidSysName+".0", []byte("a\x1b[31m\xff"+strings.Repeat("x", 500)), 0)
	if name := walk.name(netip.Addr{}); len(name) > 64 || strings.ContainsAny(name, "\x1b") {
		t.Errorf("name %q", name)
	}
	for _, oid := range []string{"", ".", oidMediaPhys, oidMediaPhys + ".", oidMediaPhys + ".x", oidMediaPhys + ".20.10.0.0.999", oidMediaPhys + ".99999999999.1.1.1.1"} {
		walk.add(oidMediaPhys, oid, []byte{2, 0, 0, 0, 0, 1}, 0)
	}
	walk.bindings()
}

func FuzzIndex(f *testing.F) {
	f.Add("20.10.79.0.31", []byte{2, 0, 0, 0, 0, 1}, int64(3))
	f.Add("20.1.4.10.79.0.31", []byte{2, 0, 0, 0, 0, 1}, int64(1))
	f.Add("20.2.16.253.121.0.0.0.0.0.0.0.0.0.0.0.0.0.9", []byte{}, int64(-1))
	f.Fuzz(func(t *testing.T, index string, octets []byte, number int64) {
		walk := tables{}
		for _, column := range columns {
			walk.add(column, column+"."+index, octets, number)
		}
		walk.bindings()
		for mac, at := range nearest([]map[[6]byte]place{walk.ports(walk.name(netip.Addr{}))}) {
			if len(at) > 200 || !unicast(mac[:]) {
				t.Errorf("%x at %q", mac, at)
			}
		}
	})
}
