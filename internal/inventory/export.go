package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// ExportOptions say what to export.
type ExportOptions struct {
	Format string    // csv | json | jsonl | html
	From   time.Time // zero: since the beginning
	To     time.Time // zero: now
	Lang   string    // en | fr, of the report
	Report ReportFacts
}

// Export writes the devices seen in the period, or the audit report over it.
func (i *Inventory) Export(ctx context.Context, w io.Writer, o ExportOptions) error {
	var err error
	if o.To, err = period(o.From, o.To, i.now()); err != nil {
		return fmt.Errorf("inventory: export: %w", err)
	}
	switch o.Format {
	case "csv":
		err = i.exportCSV(w, &o)
	case "json":
		err = i.exportJSON(w, &o)
	case "jsonl":
		err = i.exportLines(w, &o)
	case "html":
		err = i.exportReport(ctx, w, &o)
	default:
		return fmt.Errorf("inventory: export: unknown format %q (needs csv, json, jsonl or html)", o.Format)
	}
	if err != nil {
		return fmt.Errorf("inventory: export %s: %w", o.Format, err)
	}
	return nil
}

// within tells whether the device was seen in the period.
func (o *ExportOptions) within(d *Device) bool {
	return d.FirstSeen.Before(o.To) && !d.LastSeen.Before(o.From)
}

// detailed shows every device of the period, in full.
func (i *Inventory) detailed(o *ExportOptions, show func(*Device) error) error {
	for d := range i.All() {
		if !o.within(d) {
			continue
		}
		full, ok := i.Device(d.ID)
		if !ok {
			continue // merged or expired meanwhile
		}
		if err := show(&full); err != nil {
			return err
		}
	}
	return nil
}

func (i *Inventory) exportJSON(w io.Writer, o *ExportOptions) error {
	if _, err := io.WriteString(w, `{"devices":[`); err != nil {
		return err
	}
	total := 0
	err := i.detailed(o, func(d *Device) error {
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if total++; total > 1 {
			line = append([]byte(",\n"), line...)
		}
		_, err = w.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "],\"total\":%d,\"next\":\"\"}\n", total)
	return err
}

func (i *Inventory) exportLines(w io.Writer, o *ExportOptions) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return i.detailed(o, func(d *Device) error { return out.Encode(d) })
}

func (i *Inventory) exportCSV(w io.Writer, o *ExportOptions) error {
	out := NewCSV(w)
	for d := range i.All() {
		if !o.within(d) {
			continue
		}
		if err := out.Add(d); err != nil {
			return err
		}
	}
	return out.Flush()
}
