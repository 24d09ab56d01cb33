//go:build big

package agent

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/internal/inventory"
)

// TestWriteBigStore writes the store of a big site: the hosts of a record
// (CAMCENSUS_RECORD, as scan --record writes it) again and again, each time
// under other addresses, endpoints and serials, until there are
// CAMCENSUS_DEVICES of them, in the directory CAMCENSUS_STORE. .ci/big runs it.
func TestWriteBigStore(t *testing.T) {
	hosts := recordedHosts(t, os.Getenv("CAMCENSUS_RECORD"))
	var devices int
	if _, err := fmt.Sscan(os.Getenv("CAMCENSUS_DEVICES"), &devices); err != nil {
		t.Fatal("CAMCENSUS_DEVICES: ", err)
	}
	j, err := NewJudge(JudgeOptions{Lists: []string{"ca-hikvision-2025"}})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: os.Getenv("CAMCENSUS_STORE"), Site: "big", Uses: j.rules.Uses})
	if err != nil {
		t.Fatal(err)
	}
	for k := range devices {
		id := ""
		for _, r := range under(hosts[k%len(hosts)], k) {
			at, _ := netip.ParseAddr(r.IP)
			mac, _ := net.ParseMAC(r.MAC)
			id = inv.Observe(inventory.Observation{
				Time: time.Now(), Source: r.Kind, Kind: r.Kind, Interface: "eth0", IP: at, MAC: mac,
				Evidence: j.parsers.Evidence(r), Record: r, Reachability: "ip", Solicited: r.Solicited || probeKinds[r.Kind],
			}).Device
		}
		d, _ := inv.Device(id)
		identity, verdicts := j.AssessDevice(d, inv.Evidence(id), time.Now())
		inv.Commit(id, identity, verdicts, time.Now())
	}
	if n := inv.Len(); n < devices*98/100 {
		t.Errorf("%d devices, want %d", n, devices)
	}
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
}

// recordedHosts are the records of the hosts with IPv4 addresses and MACs.
func recordedHosts(t *testing.T, name string) (hosts [][]discovery.Record) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal("CAMCENSUS_RECORD: ", err)
	}
	defer file.Close()
	at := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r discovery.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if ip, err := netip.ParseAddr(r.IP); err != nil || !ip.Is4() {
			continue
		}
		n, ok := at[r.IP]
		if !ok {
			n = len(hosts)
			at[r.IP] = n
			hosts = append(hosts, nil)
		}
		hosts[n] = append(hosts[n], r)
	}
	if err := lines.Err(); err != nil || len(hosts) == 0 {
		t.Fatal(len(hosts), " hosts: ", err)
	}
	return hosts
}

var (
	serialTail = regexp.MustCompile(`\d{9,}`)
	wholeUUID  = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
)

// under are the host's records as the k-th device would have said them.
func under(records []discovery.Record, k int) []discovery.Record {
	address := fmt.Sprintf("10.%d.%d.%d", 100+k>>16, k>>8&255, k&255)
	tail := fmt.Sprintf("%06x", k)
	replace := []string{records[0].IP, address}
	mac := ""
	for _, r := range records {
		if r.MAC == "" {
			continue
		}
		mac = r.MAC[:9] + tail[:2] + ":" + tail[2:4] + ":" + tail[4:]
		for _, separator := range []string{":", "-", ""} {
			from, to := strings.ReplaceAll(r.MAC, ":", separator), strings.ReplaceAll(mac, ":", separator)
			replace = append(replace, from, to, strings.ToUpper(from), strings.ToUpper(to))
		}
		break
	}
	each := strings.NewReplacer(replace...)
	out := make([]discovery.Record, len(records))
	for n, r := range records {
		r.Host, r.IP, r.From = address, address, each.Replace(r.From)
		if r.MAC != "" {
			r.MAC = mac
		}
		r.Raw = each.Replace(r.Raw)
		r.Raw = wholeUUID.ReplaceAllStringFunc(r.Raw, func(s string) string { return s[:len(s)-6] + tail })
		r.Raw = serialTail.ReplaceAllStringFunc(r.Raw, func(s string) string { return s[:len(s)-7] + fmt.Sprintf("%07d", k) })
		out[n] = r
	}
	return out
}
