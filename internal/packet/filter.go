package packet

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// Want says which frames a kernel filter lets through.
type Want struct {
	ARP      bool
	ICMPv6   bool
	UDPPorts []uint16 // source or destination
}

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherVLAN = 0x8100
	etherIPv6 = 0x86dd
	etherQinQ = 0x88a8

	protoUDP    = 17
	protoICMPv6 = 58

	wholeFrame = 1 << 18
)

// Filter assembles the kernel filter for frames on Ethernet. The kernel takes
// the outer 802.1Q tag off before the filter runs; one tag that is left (of
// QinQ, or where it does not) is looked behind as well.
func Filter(w Want) ([]bpf.RawInstruction, error) {
	ports := slices.Clone(w.UDPPorts)
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) > 48 {
		return nil, fmt.Errorf("packet: filter of %d ports (at most 48)", len(ports))
	}
	w.UDPPorts = ports
	untagged, tagged := w.at(14), w.at(18)
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherVLAN, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherQinQ, SkipTrue: 2},
		bpf.LoadAbsolute{Off: 16, Size: 2},
		bpf.Jump{Skip: uint32(len(untagged))},
	}
	program = append(program, untagged...)
	program = append(program, tagged...)
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("packet: filter: %w", err)
	}
	return raw, nil
}

// MustFilter is Filter of what is constant in the program.
func MustFilter(w Want) []bpf.RawInstruction {
	f, err := Filter(w)
	if err != nil {
		panic(err)
	}
	return f
}

// at returns the instructions for frames whose network header begins at off;
// they find the EtherType in the accumulator and end every frame's way.
func (w Want) at(off uint32) []bpf.Instruction {
	verdicts := func(yes bool) bpf.Instruction {
		if yes {
			return bpf.RetConstant{Val: wholeFrame}
		}
		return bpf.RetConstant{}
	}
	four := []bpf.Instruction{
		bpf.LoadAbsolute{Off: off + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoUDP, SkipTrue: 1},
		bpf.RetConstant{},
		// A later fragment has no ports.
		bpf.LoadAbsolute{Off: off + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1fff, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.LoadMemShift{Off: off},
		bpf.LoadIndirect{Off: off, Size: 2},
	}
	four = append(four, w.portMatch()...)
	four = append(four, bpf.LoadIndirect{Off: off + 2, Size: 2})
	four = append(four, w.portMatch()...)
	four = append(four, bpf.RetConstant{})

	six := []bpf.Instruction{
		bpf.LoadAbsolute{Off: off + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoICMPv6, SkipTrue: 1},
		verdicts(w.ICMPv6),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoUDP, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.LoadAbsolute{Off: off + 40, Size: 2},
	}
	six = append(six, w.portMatch()...)
	six = append(six, bpf.LoadAbsolute{Off: off + 42, Size: 2})
	six = append(six, w.portMatch()...)
	six = append(six, bpf.RetConstant{})

	out := []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherARP, SkipTrue: 1},
		verdicts(w.ARP),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv4, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherIPv6, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.Jump{Skip: uint32(len(four))},
	}
	out = append(out, four...)
	return append(out, six...)
}

// portMatch accepts when the accumulator holds one of the ports and goes on
// behind itself when not.
func (w Want) portMatch() []bpf.Instruction {
	n := len(w.UDPPorts)
	var out []bpf.Instruction
	for i, p := range w.UDPPorts {
		last := uint8(0)
		if i == n-1 {
			last = 1 // past the acceptance
		}
		out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(p), SkipTrue: uint8(n - 1 - i), SkipFalse: last})
	}
	if n > 0 {
		out = append(out, bpf.RetConstant{Val: wholeFrame})
	}
	return out
}
