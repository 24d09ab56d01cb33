package agent

import (
	"bytes"
	"regexp"
	"testing"

	"camcensus/fingerprint/probe"
)

// forbidden are words of messages that write, log in, reset or reboot. None
// may stand in anything this program can send.
var forbidden = regexp.MustCompile(`(?i)exchangecode|getcode|getencryptstring|resetpassword|securitycode|setmailbox|unbind|` +
	`setconfig|devinit|passwdfind|rpc2_login|global\.login|sessionlogin|reboot|factorydefault|restore|upgrade|` +
	`(?-i:<(?:\w+:)?(?:Set|Create|Delete|Add|Remove|Start|Stop)[A-Z])|param\.cgi|action=set|action=update|configmanager|` +
	`authorization:|api\.cgi|device\.rsp|system\.ini|^(?:put|delete|patch|setup|play|record) `)

func TestNothingThatCanBeSentWritesLogsInOrResets(t *testing.T) {
	sendable := 0
	for _, p := range Protocols {
		for _, r := range p.Requests {
			sendable++
			if m := forbidden.Find(r.Bytes); m != nil {
				t.Errorf("%s, %s: %q in %q", p.Name, r.Name, m, r.Bytes)
			}
			if len(r.Bytes) > 1400 {
				t.Errorf("%s, %s: %d bytes", p.Name, r.Name, len(r.Bytes))
			}
		}
	}
	for _, r := range probe.Requests {
		sendable++
		text := []byte(r.Method + " " + r.Path + "\r\n" + r.Body)
		if m := forbidden.Find(bytes.TrimSpace(text)); m != nil {
			t.Errorf("probe %s: %q in %q", r.Probe, m, text)
		}
	}
	if sendable < 30 {
		t.Errorf("only %d messages are listed: the list is not whole", sendable)
	}
}

func TestEveryProtocolSaysWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Protocols {
		if p.Name == "" || p.Summary == "" || p.Settings == nil || p.New == nil || seen[p.Name] {
			t.Errorf("%+v: name, summary, settings and constructor are needed, each name once", p.Name)
		}
		seen[p.Name] = true
		if _, ok := p.Settings().(switches); !ok {
			t.Errorf("%s: its settings embed no discovery.Enabled", p.Name)
		}
	}
}
