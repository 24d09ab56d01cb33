package inventory

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"camcensus/internal/policy"
)

// csvColumns are the columns of every list of devices as CSV, in order.
var csvColumns = []string{
	"id", "site", "state", "verdict", "policy", "basis", "measure", "verdicts", "excepted", "class", "manufacturer", "brand", "model",
	"firmware", "serial", "certainty", "ips", "macs", "hostnames", "interface", "reachability", "switch_port", "location", "owner",
	"acquired", "note", "determination", "first_seen", "last_seen", "sources",
}

// CSV writes devices as a list that a spreadsheet opens. verdict, policy,
// basis and measure are of the gravest verdict; verdicts has them all.
type CSV struct{ out *csv.Writer }

// NewCSV writes the names of the columns; Flush ends the list.
func NewCSV(w io.Writer) *CSV {
	c := &CSV{csv.NewWriter(w)}
	_ = c.out.Write(csvColumns) // Flush tells what went wrong
	return c
}

// Add writes one device.
func (c *CSV) Add(d *Device) error { return c.out.Write(csvRow(d)) }

// Flush writes what is left and tells the first error.
func (c *CSV) Flush() error {
	c.out.Flush()
	return c.out.Error()
}

func csvRow(d *Device) []string {
	v := gravest(d.Verdicts)
	row := []string{
		d.ID, d.Site, string(d.State), v.Verdict, v.Policy, v.Basis, v.Measure, verdictCell(d.Verdicts, false), verdictCell(d.Verdicts, true),
		string(d.Class), d.Manufacturer, d.Brand, d.Model, d.Firmware, d.Serial, strconv.FormatFloat(d.Certainty, 'f', 2, 64),
		strings.Join(d.IPs, " "), strings.Join(d.MACs, " "), strings.Join(d.Hostnames, " "), d.Interface, d.Reachability, d.SwitchPort,
		d.Annotations.Location, d.Annotations.Owner, d.Annotations.Acquired, d.Annotations.Note,
		d.Determination.line(), stampCell(d.FirstSeen), stampCell(d.LastSeen), strings.Join(d.Sources, " "),
	}
	for n := range row {
		row[n] = Cell(row[n])
	}
	return row
}

// gravest is the most accusing verdict; a device without any is unclassified.
func gravest(verdicts []policy.Verdict) policy.Verdict {
	for _, verdict := range []string{policy.Banned, policy.SuspectedV, policy.Unknown, policy.Clear, policy.OutOfScope} {
		for _, v := range verdicts {
			if v.Verdict == verdict {
				return v
			}
		}
	}
	return policy.Verdict{Verdict: policy.Unclassified}
}

func verdictCell(verdicts []policy.Verdict, excepted bool) string {
	var parts []string
	for _, v := range verdicts {
		switch {
		case !excepted:
			parts = append(parts, v.Policy+"="+v.Verdict)
		case v.Excepted:
			parts = append(parts, v.Policy)
		}
	}
	return strings.Join(parts, " ")
}

func stampCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// What begins a formula in some spreadsheet, with the wide forms that some
// read alike; what parts cells in some country's spreadsheet, so that a formula
// could begin behind it; and what a lenient one takes off a cell's begin.
const (
	beginsFormula = "=+-@|%\t\r\n＝＋－＠"
	partsCells    = ",;\t\r\n"
	takenOff      = " \"\u00a0\ufeff"
)

// Cell makes a text safe to open in a spreadsheet: what would be read as a
// formula gets an apostrophe before it.
func Cell(s string) string {
	if !strings.ContainsAny(s, beginsFormula) {
		return s
	}
	var b strings.Builder
	begins := true
	for _, r := range s {
		if begins && strings.ContainsRune(beginsFormula, r) {
			b.WriteByte('\'')
		}
		begins = strings.ContainsRune(partsCells, r) || begins && strings.ContainsRune(takenOff, r)
		b.WriteRune(r)
	}
	return b.String()
}
