package packet

import (
	"testing"

	"golang.org/x/net/bpf"
)

func TestFilterLetsInWhatIsWanted(t *testing.T) {
	want := Want{ARP: true, ICMPv6: true, UDPPorts: []uint16{5353, 3702, 67}}
	later := udpFrame(t, 5353, 5353, "rest")
	later[20], later[21] = 0, 9 // a later fragment: what looks like ports is payload
	options := udpFrame(t, 3702, 9, "")
	options = append(append(options[:34:34], make([]byte, 8)...), options[34:]...)
	options[14] = 0x47 // header of 7 words
	tests := []struct {
		name  string
		want  Want
		frame []byte
		in    bool
	}{
		{"ARP", want, arpFrame(t), true},
		{"ARP not wanted", Want{UDPPorts: []uint16{1}}, arpFrame(t), false},
		{"tagged ARP", want, tagged(arpFrame(t), 5), true},
		{"from a wanted port", want, udpFrame(t, 3702, 50000, ""), true},
		{"to a wanted port", want, udpFrame(t, 50000, 67, ""), true},
		{"to the middle port", want, udpFrame(t, 50000, 3702, ""), true},
		{"other ports", want, udpFrame(t, 53, 50000, ""), false},
		{"behind IP options", want, options, true},
		{"a later fragment", want, later, false},
		{"tagged UDP", want, tagged(udpFrame(t, 5353, 5353, ""), 5), true},
		{"tagged other UDP", want, tagged(udpFrame(t, 53, 53, ""), 5), false},
		{"UDP over IPv6", want, udp6Frame(t, 5353, 5353, ""), true},
		{"other UDP over IPv6", want, udp6Frame(t, 53, 53, ""), false},
		{"neighbour solicitation", want, solicitation(t), true},
		{"ICMPv6 not wanted", Want{ARP: true}, solicitation(t), false},
		{"no ports at all", Want{ARP: true}, udpFrame(t, 5353, 5353, ""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := Filter(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			program, ok := bpf.Disassemble(raw)
			if !ok {
				t.Fatal("does not disassemble")
			}
			vm, err := bpf.NewVM(program)
			if err != nil {
				t.Fatal(err)
			}
			n, err := vm.Run(tt.frame)
			if err != nil {
				t.Fatal(err)
			}
			if in := n > 0; in != tt.in {
				t.Errorf("let in: %v, want %v", in, tt.in)
			}
		})
	}
}

func TestFilterRefusesTooManyPorts(t *testing.T) {
	w := Want{}
	for p := range uint16(60) {
		w.UDPPorts = append(w.UDPPorts, p+1)
	}
	if _, err := Filter(w); err == nil {
		t.Error("no error")
	}
}
