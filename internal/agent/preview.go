package agent

import (
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"camcensus/discovery"
	"camcensus/discovery/arp"
	"camcensus/discovery/snmp"
	"camcensus/discovery/sweep"
	"camcensus/internal/config"
)

// Preview is what a configuration would do, worked out without a packet.
type Preview struct {
	Scope   *discovery.Scope
	Notes   []string
	Sources []string
	Policy  []string
	// Addresses of connected IPv4 networks, each asked by ARP, and of routed
	// ones, each asked by connections.
	Connected, Routed int
	ARPRate           float64
	Rate              float64
}

// NewPreview checks everything that an agent would check at its start.
func NewPreview(c config.Config) (*Preview, error) {
	judge, err := NewJudge(JudgeOptions{Lists: c.Policy.Lists, PolicyFiles: c.Policy.Files, RuleFiles: c.Fingerprint.Rules})
	if err != nil {
		return nil, err
	}
	scope, err := currentScope(c)
	if err != nil {
		return nil, err
	}
	wire := discovery.NewWire(scope, discovery.WireOptions{ListenOnly: true, Log: zap.NewNop()})
	sources, err := buildSources(wire, c, zap.NewNop(), time.Now, nil)
	if err != nil {
		return nil, err
	}
	p := &Preview{Scope: scope, Rate: c.Discovery.Rate, ARPRate: arpRate(c)}
	p.Notes = slices.Concat(judge.Unused, exclusionNotes(scope), scope.Notes, gatewayNotes(wire))
	for _, s := range sources {
		p.Sources = append(p.Sources, s.name)
		if s.name == snmp.Protocol.Name {
			p.Notes = append(p.Notes, snmpNote)
		}
	}
	for _, l := range judge.policies {
		p.Policy = append(p.Policy, l.Name)
	}
	for _, n := range scope.Networks {
		if !n.Prefix.Addr().Is4() {
			continue
		}
		count := int(math.Exp2(float64(32 - n.Prefix.Bits())))
		if n.Connected {
			p.Connected += count
		} else {
			p.Routed += count
		}
	}
	return p, nil
}

// snmpNote says what the allowance of a host does not bound.
var snmpNote = fmt.Sprintf("The routers and switches that snmp names are asked, with your credentials, for all rows of their tables: "+
	"one request at a time and at most %d in a cycle, not the 12 datagrams that bound every other host.", snmp.MaxRequests)

// arpRate is the ARP source's rate, packets per second; 0 = no limit.
func arpRate(c config.Config) float64 {
	set := arp.Protocol.Settings().(*arp.Settings)
	if n, given := c.Discovery.Sources[arp.Protocol.Name]; given {
		_ = config.Decode(&n, set) // its mistakes are told when the sources are built
	}
	return set.Rate
}

// sweepInterval is how often routed networks are swept.
func sweepInterval(c config.Config) time.Duration {
	set := sweep.Defaults()
	if n, given := c.Discovery.Sources[sweep.Protocol.Name]; given {
		_ = config.Decode(&n, set) // its mistakes are told when the sources are built
	}
	return set.Interval
}

// Duration estimates a cycle: the ARP sweep of the connected networks, one
// further round for the silent, and the multicast windows, side by side.
func (p *Preview) Duration() time.Duration {
	rate := p.ARPRate
	if p.Rate > 0 && (rate == 0 || p.Rate < rate) {
		rate = p.Rate
	}
	sweep := time.Duration(0)
	if rate > 0 {
		sweep = time.Duration(2 * float64(p.Connected) / rate * float64(time.Second))
	}
	return max(sweep, 8*time.Second).Round(time.Second)
}

// Print writes it for people.
func (p *Preview) Print(w io.Writer) error {
	var b strings.Builder
	for _, n := range p.Scope.Networks {
		how := "routed"
		if n.Connected {
			how = "connected by " + n.Interface
		}
		fmt.Fprintf(&b, "in scope: %s (%s)\n", n.Prefix, how)
	}
	if len(p.Scope.Networks) == 0 {
		b.WriteString("in scope: nothing\n")
	}
	for _, n := range p.Scope.NotInScope {
		fmt.Fprintf(&b, "not in scope: %s: %s\n", n.Network, n.Reason)
	}
	for _, e := range p.Scope.Exclusions {
		fmt.Fprintf(&b, "%s%s\n", e, excludedBy(e.By))
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	fmt.Fprintf(&b, "sources: %s\npolicies: %s\n", strings.Join(p.Sources, ", "), strings.Join(p.Policy, ", "))
	fmt.Fprintf(&b, "addresses: %d by ARP, %d by connections through routers\n", p.Connected, p.Routed)
	fmt.Fprintf(&b, "a cycle takes about %s, never more than %s packets per second (ARP: %s)\n",
		p.Duration(), limit(p.Rate), limit(p.ARPRate))
	_, err := io.WriteString(w, b.String())
	return err
}

func excludedBy(who string) string {
	if who == "" {
		return ""
	}
	return " (by " + who + ")"
}

func limit(rate float64) string {
	if rate == 0 {
		return "unlimited"
	}
	return fmt.Sprintf("%g", rate)
}

// Plan collects what a dry run would send.
type Plan struct {
	mu    sync.Mutex
	lines map[discovery.Packet]int
	order []discovery.Packet
}

// NewPlan returns an empty plan.
func NewPlan() *Plan { return &Plan{lines: map[discovery.Packet]int{}} }

// Add notes one packet.
func (p *Plan) Add(pk discovery.Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := max(pk.Count, 1)
	pk.Count = 0
	if p.lines[pk] == 0 {
		p.order = append(p.order, pk)
	}
	p.lines[pk] += n
}

// Print writes the plan, and what a scan sends beyond it to whoever answers.
func (p *Plan) Print(w io.Writer, a *Agent) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	sort.SliceStable(p.order, func(i, k int) bool {
		x, y := p.order[i], p.order[k]
		if x.Source != y.Source {
			return x.Source < y.Source
		}
		xa, ex := netip.ParseAddr(x.To)
		ya, ey := netip.ParseAddr(y.To)
		if ex == nil && ey == nil {
			return xa.Less(ya)
		}
		return x.To < y.To
	})
	total := 0
	for _, pk := range p.order {
		n := p.lines[pk]
		total += n
		line := fmt.Sprintf("%s%s: %d x %s to %s", pk.Source, onInterface(pk.Interface), n, pk.Protocol, pk.To)
		if pk.Note != "" {
			line += " (" + pk.Note + ")"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d packets in all; then, to each host that answers, at most 8 connections and 12 datagrams of read-only questions\n", total)
	return err
}

func onInterface(name string) string {
	if name == "" {
		return ""
	}
	return " on " + name
}
