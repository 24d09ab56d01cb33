package agent

import (
	"net"
	"sync"

	"camcensus/internal/inventory"
)

// switchPorts keeps at which switch port each MAC was seen last.
type switchPorts struct {
	mu sync.Mutex
	at map[[6]byte]string
}

// maxSwitchPorts bounds them; past it all is learnt anew.
const maxSwitchPorts = 1 << 17

func (p *switchPorts) note(mac net.HardwareAddr, port string) {
	if len(mac) != 6 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil || len(p.at) >= maxSwitchPorts {
		p.at = map[[6]byte]string{}
	}
	p.at[[6]byte(mac)] = port
}

func (p *switchPorts) of(mac net.HardwareAddr) string {
	if len(mac) != 6 {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at[[6]byte(mac)]
}

// placeDevices tells the inventory at which switch ports its devices hang. A
// switch's word that it knows a MAC is no sign of life: the device's last one
// stays as it was.
func (a *Agent) placeDevices() {
	for d := range a.inventory.All() {
		for _, text := range d.MACs {
			mac, err := net.ParseMAC(text)
			if err != nil {
				continue
			}
			if port := a.ports.of(mac); port != "" && port != d.SwitchPort && d.State != inventory.Removed {
				a.inventory.Observe(inventory.Observation{Time: d.LastSeen, MAC: mac, SwitchPort: port})
				break
			}
		}
	}
}
