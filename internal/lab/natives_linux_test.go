package lab_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

func unhex(t *testing.T, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestNativeAnswersHaveTheLayoutOfTheirProtocol holds the offsets of research's protocols, section 5, against what devices send.
func TestNativeAnswersHaveTheLayoutOfTheirProtocol(t *testing.T) {
	r := segment(t, "threehundred")
	mac := func(name string) string {
		d, _ := r.Site.Device(name)
		return string(d.HardwareAddr())
	}
	ip := func(name string) string {
		d, _ := r.Site.Device(name)
		return string(d.Addr().AsSlice())
	}
	for _, test := range []struct {
		device, from, to, request string
		length                    int
		at                        map[int]string
	}{
		{"wisenet", ":7711", "10.77.0.255:7701", "01" + strings.Repeat("00", 261), 262, map[int]string{0: "\x0b", 0x6d: "SNV-6013\x00"}},
		{"rcp", ":1758", "10.77.0.255:1757", "9939a427 01020304 ff0006de", 32, map[int]string{0: "\x99\x39\xa4\x27\x01\x02\x03\x04", 8: mac("rcp"), 16: ip("rcp")}},
		{"vivotek", ":0", "10.77.0.255:10000", "05 4a5d8f1c", 0, map[int]string{0: "\x05\x4a\x5d\x8f\x1c"}},
		{"tdp", ":0", "10.77.0.255:20002", "020000010000000000000000463cb5d3", 0, map[int]string{16: `{"result":`}},
		{"sony", ":0", "10.77.0.255:2380", "02454e513a616c6c696e666fff03", 0, map[int]string{0: "\x02MAC:"}},
		{"foscam", ":10000", "10.77.0.255:10000", "4d4f5f49 0000 00 0000000000000000 04 00000000000000 00000001", 87, map[int]string{0: "MO_I", 0x39: ip("foscam"), 0x55: "\x00\x50"}},
		{"easyip", ":10669", "10.77.0.255:10670", "0001" + strings.Repeat("00", 50), 0, map[int]string{0: "\x00\x01", 6: mac("easyip"), 53: "\x00\x20\x00\x04" + ip("easyip")}},
		{"ubiquiti", ":0", "233.89.188.1:10001", "01000000", 0, map[int]string{0: "\x01\x00", 4: "\x02\x00\x0a" + mac("ubiquiti")}},
		{"xmeye", ":34569", "10.77.0.255:34569", "ff000000 00000000 00000000 0000 fa05 00000000", 0, map[int]string{0: "\xff\x01\x00\x00", 14: "\xfb\x05", 20: `{"NetWork.NetCommon"`}},
		{"dvrip", ":5050", "10.77.0.255:5050", "a3010001" + strings.Repeat("00", 12) + "02" + strings.Repeat("00", 15), 0, map[int]string{0: "\xb3", 4: "\x58", 0x10: "\x02", 0x38: ip("dvrip"), 0x5e: "\x50\x00", 0x62: "\x91\x93", 0x6c: "\xef\xff\x2a\x2a"}},
	} {
		t.Run(test.device, func(t *testing.T) {
			d, _ := r.Site.Device(test.device)
			got := ask(t, "cam0", "0.0.0.0"+test.from, netip.MustParseAddrPort(test.to), unhex(t, test.request))[d.Addr()]
			if got == "" || test.length > 0 && len(got) != test.length {
				t.Fatalf("%d bytes, want %d: %x", len(got), test.length, got)
			}
			for offset, want := range test.at {
				if len(got) < offset+len(want) || got[offset:offset+len(want)] != want {
					t.Errorf("at %#x want %q in\n%s", offset, want, hex.Dump([]byte(got)))
				}
			}
			switch test.device {
			case "dvrip":
				if want := 0x78 + int(got[2]) + int(binary.LittleEndian.Uint16([]byte(got[0x14:]))); len(got) != want {
					t.Errorf("%d bytes, its sections say %d", len(got), want)
				}
			case "easyip":
				if want := 52 + int(binary.BigEndian.Uint16([]byte(got[2:]))); len(got) != want {
					t.Errorf("%d bytes, it says %d", len(got), want)
				}
			case "ubiquiti":
				if want := 4 + int(binary.BigEndian.Uint16([]byte(got[2:]))); len(got) != want {
					t.Errorf("%d bytes, it says %d", len(got), want)
				}
			case "xmeye":
				if want := 20 + int(binary.LittleEndian.Uint32([]byte(got[16:]))); len(got) != want {
					t.Errorf("%d bytes, it says %d", len(got), want)
				}
			}
		})
	}
}
