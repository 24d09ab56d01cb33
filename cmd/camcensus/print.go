package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"camcensus/exporter"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// printDevices writes what a scan found, in the form asked for.
func printDevices(w io.Writer, format string, s *exporter.Snapshot, colour bool) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(struct {
			Devices  []inventory.Device      `json:"devices"`
			Coverage exporter.CoverageReport `json:"coverage"`
		}{s.Devices, s.Coverage()})
	case "jsonl":
		enc := json.NewEncoder(w)
		for _, d := range s.Devices {
			if err := enc.Encode(d); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return printCSV(w, s.Devices)
	}
	return printTable(w, s, colour)
}

// verdictOrder is how accusing a verdict is; the worst comes first.
var verdictOrder = map[string]int{
	policy.Banned: 0, policy.SuspectedV: 1, policy.Unknown: 2, policy.Clear: 3, policy.OutOfScope: 4, policy.Unclassified: 5,
}

// worst is the most accusing verdict of a device.
func worst(d inventory.Device) policy.Verdict {
	w := policy.Verdict{Verdict: policy.Unclassified}
	for i, v := range d.Verdicts {
		if i == 0 || verdictOrder[v.Verdict] < verdictOrder[w.Verdict] {
			w = v
		}
	}
	return w
}

func flaggedCount(s *exporter.Snapshot) int {
	n := 0
	for _, d := range s.Devices {
		if worst(d).Flagged() {
			n++
		}
	}
	return n
}

// printTable writes a table for people, worst first, then what was covered.
func printTable(w io.Writer, s *exporter.Snapshot, colour bool) error {
	devices := append([]inventory.Device(nil), s.Devices...)
	sort.SliceStable(devices, func(i, k int) bool {
		return verdictOrder[worst(devices[i]).Verdict] < verdictOrder[worst(devices[k]).Verdict]
	})
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "VERDICT\tCLASS\tMANUFACTURER\tBRAND\tMODEL\tIP\tMAC\tSOURCES")
	for _, d := range devices {
		fmt.Fprintf(t, "%s\t", paint(worst(d).Verdict, colour))
		row(t, string(d.Class), dash(d.Manufacturer), dash(d.Brand), dash(d.Model), dash(address(d)), dash(strings.Join(d.MACs, ",")), strings.Join(d.Sources, ","))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printCoverage(w, s)
}

// paint colours a verdict. Every coloured cell has the same invisible length,
// so that the columns stay straight.
func paint(verdict string, colour bool) string {
	if !colour {
		return verdict
	}
	code := map[string]string{policy.Banned: "31", policy.SuspectedV: "33", policy.Clear: "32", policy.Unknown: "36"}[verdict]
	if code == "" {
		code = "37"
	}
	return "\x1b[" + code + "m" + verdict + "\x1b[0m"
}

// address is where a device is reached, for one cell of a table: a link-local
// IPv6 address only where it has no other.
func address(d inventory.Device) string {
	ips := slices.DeleteFunc(slices.Clone(d.IPs), func(ip string) bool { return strings.HasPrefix(ip, "fe80:") })
	if len(ips) == 0 {
		ips = d.IPs
	}
	return reached(d, ips)
}

// reached lists addresses, and says when none can be asked.
func reached(d inventory.Device, ips []string) string {
	a := strings.Join(ips, ",")
	if d.Reachability == "layer2" {
		a += " (layer 2 only)"
	}
	return a
}

// row writes one row of a table: what devices and persons wrote stays in its
// cell. What goes wrong, the table's Flush tells.
func row(t *tabwriter.Writer, cells ...string) {
	for n := range cells {
		cells[n] = shown(cells[n])
	}
	fmt.Fprintln(t, strings.Join(cells, "\t"))
}

// shown is a text as a terminal may have it: whatever ends a line, moves the
// cursor or turns the writing round stands there as \n, \x1b, \u202e.
func shown(text string) string {
	text = strings.ToValidUTF8(text, string(unicode.ReplacementChar))
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsGraphic(r) }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// printCoverage says what was tried, so that "0 found" never stands alone.
func printCoverage(w io.Writer, s *exporter.Snapshot) error {
	var b strings.Builder
	counts := map[string]int{}
	for _, d := range s.Devices {
		counts[worst(d).Verdict]++
	}
	fmt.Fprintf(&b, "\n%d devices:", len(s.Devices))
	for _, v := range []string{policy.Unknown, policy.Banned, policy.SuspectedV, policy.Clear, policy.OutOfScope, policy.Unclassified} {
		fmt.Fprintf(&b, " %d %s", counts[v], v)
	}
	fmt.Fprintf(&b, "; recorder channels not assessed: %d, recorders that do not say how many: %d\n", s.Unassessed, s.ChannelsUnknown)
	for _, p := range s.Policies {
		fmt.Fprintf(&b, "policy %s %s; it also covers, and a census cannot see: %s\n", p.Name, p.Version, dash(strings.Join(p.NotAssessed, ", ")))
	}
	for _, n := range s.Networks {
		fmt.Fprintf(&b, "network %s: %d addresses tried, %d answered, %d excluded, %d unreachable, %d bogus%s\n",
			n.Network, n.Tried, n.Answered, n.Excluded, n.Unreachable, n.Bogus, because(n.Reason))
	}
	for _, n := range s.NotInScope {
		fmt.Fprintf(&b, "not in scope: %s%s\n", n.Network, because(n.Reason))
	}
	for _, src := range s.Sources {
		if !src.Up {
			fmt.Fprintf(&b, "source %s%s is down%s\n", src.Source, on(src.Interface), because(src.Reason))
		}
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "note: %s\n", shown(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + shown(strings.ReplaceAll(reason, "\n", "; "))
}

func on(iface string) string {
	if iface == "" {
		return ""
	}
	return " on " + iface
}

func printCSV(w io.Writer, devices []inventory.Device) error {
	c := inventory.NewCSV(w)
	for i := range devices {
		if err := c.Add(&devices[i]); err != nil {
			return err
		}
	}
	return c.Flush()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
