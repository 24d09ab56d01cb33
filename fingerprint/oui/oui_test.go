package oui

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mac(tb testing.TB, s string) [6]byte {
	tb.Helper()
	m, err := net.ParseMAC(s)
	if err != nil {
		tb.Fatal(err)
	}
	return [6]byte(m)
}

func TestLookupFindsTheLongestBlock(t *testing.T) {
	r := Default()
	for _, tc := range []struct {
		mac, registrant, prefix, registry string
		bits                              int
	}{
		{"44:19:b6:01:02:03", "Hangzhou Hikvision Digital Technology Co.,Ltd.", "4419B6", MAL, 24},
		{"ac:cc:8e:01:02:03", "Axis Communications AB", "ACCC8E", MAL, 24},
		{"00:00:0c:01:02:03", "Cisco Systems, Inc", "00000C", MAL, 24},
		{"34:46:63:20:00:01", "Amcrest Technologies", "3446632", MAM, 28},
		{"34:46:63:40:00:01", "Luminys Systems Corporation", "3446634", MAM, 28},
		{"b0:b3:53:60:00:01", "Hangzhou Hikrobot Technology Co., Ltd.", "B0B3536", MAM, 28},
	} {
		a, ok := r.Lookup(mac(t, tc.mac))
		if !ok || a.Registrant != tc.registrant || a.Prefix != tc.prefix || a.Registry != tc.registry || a.Bits != tc.bits {
			t.Errorf("%s: %+v, %t", tc.mac, a, ok)
		}
	}
}

func TestLookupAgreesWithEveryBlock(t *testing.T) {
	r := Default()
	longer := map[string]bool{}
	for _, b := range r.Blocks() {
		if len(b.Prefix) > 6 {
			longer[b.Prefix] = true
		}
	}
	looked := 0
	for _, b := range r.Blocks() {
		padded := b.Prefix + strings.Repeat("0", 12-len(b.Prefix))
		if longer[padded[:7]] && len(b.Prefix) < 7 || longer[padded[:9]] && len(b.Prefix) < 9 {
			continue // its first address is another's
		}
		var m [6]byte
		fmt.Sscanf(padded, "%2x%2x%2x%2x%2x%2x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5])
		if m[0]&3 != 0 || virtualRouter(m) != "" {
			continue
		}
		looked++
		if a, ok := r.Lookup(m); !ok || a.Prefix != b.Prefix || a.Registrant != b.Registrant {
			t.Fatalf("%s of %s: got %+v, %t", padded, b.Registrant, a, ok)
		}
	}
	if looked < 50_000 {
		t.Errorf("only %d blocks looked up", looked)
	}
}

func TestLookupNamesNobody(t *testing.T) {
	r := Default()
	for _, tc := range []struct {
		name, mac string
		want      Assignment
	}{
		{"locally administered", "46:19:b6:01:02:03", Assignment{Local: true}},
		{"a group's", "01:00:5e:00:00:fb", Assignment{}},
		{"VRRP or CARP", "00:00:5e:00:01:07", Assignment{Virtual: "VRRP"}},
		{"VRRP over IPv6", "00:00:5e:00:02:07", Assignment{Virtual: "VRRP"}},
		{"HSRP", "00:00:0c:07:ac:01", Assignment{Virtual: "HSRP"}},
		{"HSRP version 2", "00:00:0c:9f:f0:01", Assignment{Virtual: "HSRP"}},
		{"HSRP over IPv6", "00:05:73:a0:00:01", Assignment{Virtual: "HSRP"}},
		{"GLBP", "00:07:b4:00:01:01", Assignment{Virtual: "GLBP"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, ok := r.Lookup(mac(t, tc.mac)); ok || got != tc.want {
				t.Errorf("got %+v, %t", got, ok)
			}
		})
	}
	if _, ok := r.LookupAddr(net.HardwareAddr{0, 1, 2}); ok {
		t.Error("three octets found a block")
	}
	private := false
	for _, b := range r.Blocks() {
		if b.Registrant == "Private" && len(b.Prefix) == 6 {
			private = true
			var m [6]byte
			fmt.Sscanf(b.Prefix, "%2x%2x%2x", &m[0], &m[1], &m[2])
			if a, ok := r.Lookup(m); !ok || !a.Private {
				t.Errorf("%s: %+v, %t", b.Prefix, a, ok)
			}
			if name, ok := r.Registrant(m); ok {
				t.Errorf("%s: a private holder is named %q", b.Prefix, name)
			}
			break
		}
	}
	if !private {
		t.Error("no private block in the registry")
	}
}

func TestShippedRegistrySaysItsDate(t *testing.T) {
	r := Default()
	if r.Version() != Version || r.Date() != Date {
		t.Errorf("the table is of %q, %q; the constants say %q, %q", r.Version(), r.Date(), Version, Date)
	}
	if len(shipped) >= 2_000_000 {
		t.Errorf("%d bytes in the binary", len(shipped))
	}
	if r.Len() < 53_000 {
		t.Errorf("%d blocks", r.Len())
	}
}

// The prefixes of the listed makers are the ones that must not be wrong.
func TestListedMakersKeepTheirBlocks(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "..", "shared", "research", "oui_banned.tsv"))
	if err != nil {
		t.Logf("passed over: %v", err)
		return
	}
	defer file.Close()
	r := Default()
	byPrefix := map[string]string{}
	for _, b := range r.Blocks() {
		byPrefix[b.Prefix] = b.Registrant
	}
	rows := 0
	for s := bufio.NewScanner(file); s.Scan(); {
		columns := strings.Split(s.Text(), "\t")
		if len(columns) < 7 || columns[0] == "prefix" {
			continue
		}
		rows++
		if got := byPrefix[columns[0]]; got != columns[6] {
			t.Errorf("%s: %q, registered to %q", columns[0], got, columns[6])
		}
	}
	if rows < 2700 {
		t.Errorf("%d rows read", rows)
	}
}

func TestReadBlocksKnowsTheForms(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"oui-data", `{"00BC99":"Hangzhou A\nNo.1 Road\nChina","C0619AE":"B","0050C2001":"C","XX":"no"}`, "00BC99=Hangzhou A | C0619AE=B | 0050C2001=C"},
		{"csv", "Registry,Assignment,Organization Name,Organization Address\nMA-L,00BC99,\"Hangzhou A, Ltd\",\"x\ny\"\nMA-S,70B3D50AE,N,z\nCID,3A72C2Z,n,n\n", "00BC99=Hangzhou A, Ltd | 70B3D50AE=N"},
		{"oui.txt", "OUI/MA-L    Organization\ncompany_id   Organization\n\n28-6F-B9   (hex)\t\tNokia Bell\r\n286FB9     (base 16)\t\tNokia Bell\r\n\t\t\t\tNo.388\r\n", "286FB9=Nokia Bell"},
		{"mam.txt", "C0-61-9A   (hex)\t\tZhejiang H\nE00000-EFFFFF     (base 16)\t\tZhejiang H\n", "C0619AE=Zhejiang H"},
		{"oui36.txt", "70-B3-D5   (hex)\t\tNorsat\n0AE000-0AEFFF     (base 16)\t\tNorsat\n", "70B3D50AE=Norsat"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			blocks, err := ReadBlocks(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			r, err := Build(blocks, "v", "2026-01-01")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range r.Blocks() {
				got = append(got, b.Prefix+"="+b.Registrant)
			}
			if strings.Join(got, " | ") != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
	for _, bad := range []string{"", "nonsense", "{", `{"x":"y"}`, "Registry,Assignment\n"} {
		if _, err := ReadBlocks(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestImportedBlocksWinAndLast(t *testing.T) {
	r, err := Default().With([]Block{{"4419B6", "Someone Else"}, {"0242AC", "x"}, {"FCFCFC123", "Tiny"}}, "mine", "2027-01-01")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := r.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if r, err = Read(&file); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{"44:19:b6:00:00:01": "Someone Else", "fc:fc:fc:12:30:00": "Tiny", "ac:cc:8e:00:00:01": "Axis Communications AB"} {
		if a, ok := r.Lookup(mac(t, address)); !ok || a.Registrant != want {
			t.Errorf("%s: %+v, %t", address, a, ok)
		}
	}
	if a, ok := r.Lookup(mac(t, "fc:fc:fc:99:00:00")); ok {
		t.Errorf("an address beside the only block of its 24 bits: %+v", a)
	}
	if r.Version() != "mine" || r.Date() != "2027-01-01" {
		t.Errorf("%q %q", r.Version(), r.Date())
	}
}

func FuzzRead(f *testing.F) {
	small, err := Build([]Block{{"4419B6", "A"}, {"3446632", "B"}, {"70B3D50AE", "C"}}, "v", "d")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(small.text))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, m := range [][6]byte{{0x44, 0x19, 0xb6}, {0x34, 0x46, 0x63, 0x20}, {0x70, 0xb3, 0xd5, 0x0a, 0xe0}} {
			r.Lookup(m)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	r := Default()
	macs := [][6]byte{
		{0x44, 0x19, 0xb6, 1, 2, 3}, {0xac, 0xcc, 0x8e, 1, 2, 3}, {0x34, 0x46, 0x63, 0x20}, {0x70, 0xb3, 0xd5, 0x0a, 0xe0},
		{0x00, 0x11, 0x32, 1, 2, 3}, {0x3c, 0xef, 0x8c}, {0xfc, 0xfc, 0xfc}, {0x00, 0x0c, 0x29},
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Lookup(macs[i&7])
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	r := Default()
	m := [6]byte{0x34, 0x46, 0x63, 0x20}
	if n := testing.AllocsPerRun(100, func() { r.Lookup(m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
