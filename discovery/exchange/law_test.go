package exchange_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"camcensus/discovery"
	"camcensus/discovery/dhip"
	"camcensus/discovery/mdns"
	"camcensus/discovery/native"
	"camcensus/discovery/sadp"
	"camcensus/discovery/ssdp"
	"camcensus/discovery/wsd"
)

// rooms is every protocol that runs on exchange.
func rooms() []discovery.Protocol {
	return append([]discovery.Protocol{wsd.Protocol, mdns.Protocol, ssdp.Protocol, sadp.Protocol, dhip.Protocol}, native.Protocols...)
}

// forbidden are words of messages that write, reset, log in or leak.
var forbidden = []string{
	"getcode", "exchangecode", "getencryptstring", "reset", "securitycode", "restore", "reboot", "update", "activate",
	"setmailbox", "ezvizunbind", "getbindlist", "getqrcodes", // SADP
	"setconfig", "devinit", "passwdfind", "login", "password", // DHIP
	"/hello", "/bye", "resolve", "<d:hello", "<d:bye", // WS-Discovery
	"subscribe", "soapaction", "notify", "ssdp:all", // UPnP
	"set:", "system_searchipc", // Sony, Topsee
}

// allowed says, for the protocols whose commands are numbers, which one
// message each may send.
var allowed = map[string]func([]byte) bool{
	"tvt":       func(b []byte) bool { return len(b) == 140 && binary.LittleEndian.Uint16(b[8:]) == 1 && zero(b[10:]) },
	"xmeye":     func(b []byte) bool { return len(b) == 20 && binary.LittleEndian.Uint16(b[14:]) == 1530 && zero(b[16:]) },
	"hanwha":    func(b []byte) bool { return len(b) == 262 && b[0] == 1 && zero(b[1:]) },
	"bosch":     func(b []byte) bool { return len(b) == 12 && bytes.Equal(b[8:], []byte{0xff, 0, 6, 0xde}) },
	"vivotek":   func(b []byte) bool { return len(b) == 5 },
	"sony":      func(b []byte) bool { return string(b) == "\x02ENQ:allinfo\xff\x03" },
	"panasonic": func(b []byte) bool { return binary.BigEndian.Uint16(b[4:]) == 0x0d },
	"foscam":    func(b []byte) bool { return len(b) == 27 && zero(b[4:15]) && b[15] == 4 && zero(b[16:26]) },
	"ubiquiti":  func(b []byte) bool { return bytes.Equal(b, []byte{1, 0, 0, 0}) || bytes.Equal(b, []byte{2, 8, 0, 0}) },
	"tplink":    func(b []byte) bool { return len(b) == 16 && b[1] == 0 && b[4] == 0 },
	"dvrip":     func(b []byte) bool { return len(b) == 32 && b[0] == 0xa3 && b[16] == 2 && zero(b[17:]) },
	"sadp": func(b []byte) bool {
		return bytes.HasSuffix(b, []byte("<Types>inquiry</Types></Probe>")) || bytes.HasSuffix(b, []byte("<Types>inquiry_v32</Types></Probe>"))
	},
	"dhip": func(b []byte) bool {
		return bytes.HasSuffix(b, []byte(`{"method":"DHDiscover.search","params":{"mac":"","uni":1}}`+"\n"))
	},
	"ssdp": func(b []byte) bool { return bytes.HasPrefix(b, []byte("M-SEARCH * HTTP/1.1\r\n")) },
	"mdns": func(b []byte) bool { return b[2]&0x80 == 0 && zero(b[6:12]) },
	"wsd": func(b []byte) bool {
		return bytes.Contains(b, []byte("/Probe</a:Action>")) && !bytes.ContainsAny(b, "\r\n") && bytes.HasPrefix(b, []byte("<?xml"))
	},
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

func TestNoMessageWritesResetsOrLogsIn(t *testing.T) {
	for _, p := range rooms() {
		if len(p.Requests) == 0 {
			t.Errorf("%s: declares no request", p.Name)
		}
		for _, r := range p.Requests {
			for _, word := range forbidden {
				if strings.Contains(strings.ToLower(string(r.Bytes)), word) {
					t.Errorf("%s: %s to %s holds %q", p.Name, r.Name, r.To, word)
				}
			}
			if check := allowed[p.Name]; check == nil || !check(r.Bytes) {
				t.Errorf("%s: %s to %s is none of the messages that are allowed: %q", p.Name, r.Name, r.To, r.Bytes)
			}
			if strings.HasSuffix(r.To, ":8600") || strings.HasSuffix(r.To, ":3001") {
				t.Errorf("%s: %s goes to a port whose answers hold passwords", p.Name, r.To)
			}
		}
	}
}

func TestDescriptorsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range rooms() {
		if p.Name == "" || p.Summary == "" || p.Settings == nil || p.New == nil || p.Fields == nil || seen[p.Name] {
			t.Errorf("%s: descriptor is incomplete or double", p.Name)
		}
		seen[p.Name] = true
		if len(p.Kinds) != 1 || p.Kinds[0] != p.Name {
			t.Errorf("%s: writes kinds %v", p.Name, p.Kinds)
		}
	}
}
