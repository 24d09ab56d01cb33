package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"camcensus/internal/inventory"
)

// span is --from and --to.
type span struct{ from, to string }

func (p *span) add(c *kingpin.CmdClause) {
	c.Flag("from", "Begin of the period (YYYY-MM-DD by UTC, or RFC 3339).").StringVar(&p.from)
	c.Flag("to", "End of the period (YYYY-MM-DD by UTC, that day included, or RFC 3339).").StringVar(&p.to)
}

func (p *span) times() (from, to time.Time, err error) {
	if from, err = moment(p.from, 0); err != nil {
		return from, to, err
	}
	if to, err = moment(p.to, 24*time.Hour); err != nil {
		return from, to, err
	}
	switch {
	case from.After(time.Now()):
		err = usageError{fmt.Errorf("--from %s is yet to come: nothing can be known of that period", p.from)}
	case !to.IsZero() && !from.Before(to):
		err = usageError{fmt.Errorf("the period ends (--to %s) before it begins (--from %s)", p.to, p.from)}
	}
	return from, to, err
}

// moment reads a day or an instant; a day stands for its begin plus add. Days are
// UTC's, as in the report and on the page.
func moment(s string, add time.Duration) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.Add(add), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, usageError{fmt.Errorf("%q is neither a day such as 2026-01-31 nor a time such as 2026-01-31T08:00:00Z", s)}
	}
	return t, nil
}

// exportFlags are the flags of inventory export.
type exportFlags struct {
	format, lang, output string
	period               span
}

func (f *inventoryFlags) addReports(c *kingpin.CmdClause, commands map[string]action, read reader) {
	x := &exportFlags{}
	export := c.Command("export", "Write the inventory, or the audit report (html).")
	export.Flag("format", "Form of the export.").Default("csv").EnumVar(&x.format, "csv", "json", "jsonl", "html")
	export.Flag("lang", "Language of the report.").Default("en").EnumVar(&x.lang, "en", "fr")
	export.Flag("output", "Write to this file.").StringVar(&x.output)
	x.period.add(export)
	commands[export.FullCommand()] = func(ctx context.Context, s streams) error { return f.export(ctx, s, x) }

	diff := c.Command("diff", "Compare two dates: what is new, gone, returned, changed.")
	period := &span{}
	period.add(diff)
	diffJSON := diff.Flag("json", "Print it as JSON.").Bool()
	lang := diff.Flag("lang", "Language.").Default("en").Enum("en", "fr")
	read(diff, func(s streams, inv *inventory.Inventory) error {
		from, to, err := period.times()
		if err != nil {
			return err
		}
		if from.IsZero() {
			return usageError{errors.New("diff needs --from")}
		}
		d, err := inv.Diff(context.Background(), from, to)
		switch {
		case err != nil:
			return err
		case *diffJSON:
			return printJSON(s.out, d)
		}
		return printDiff(s.out, d, *lang)
	})

	imp := c.Command("import", "Match an asset list (CSV) by MAC, serial and IP: known here and there, only here, only there.")
	file := imp.Arg("file", "CSV file.").Required().String()
	impJSON := imp.Flag("json", "Print it as JSON.").Bool()
	read(imp, func(s streams, inv *inventory.Inventory) error {
		in, err := os.Open(*file)
		if err != nil {
			return err
		}
		defer in.Close()
		m, err := inv.Import(in)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", *file, err)
		case *impJSON:
			return printJSON(s.out, m)
		}
		return printMatch(s.out, m)
	})
}

// export lets a running agent write the export, since it knows what was
// covered; without one the stored inventory is written.
func (f *inventoryFlags) export(ctx context.Context, s streams, x *exportFlags) error {
	from, to, err := x.period.times()
	if err != nil {
		return err
	}
	dir, err := findStorage(f.storage)
	if err != nil {
		return err
	}
	w, done, err := openOutput(s, x.output)
	if err != nil {
		return err
	}
	q := url.Values{"format": {x.format}, "lang": {x.lang}}
	for name, t := range map[string]time.Time{"from": from, "to": to} {
		if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339))
		}
	}
	err = copyFromAgent(ctx, dir, http.MethodGet, "/api/v1/export?"+q.Encode(), w)
	if errors.Is(err, errSilent) {
		fmt.Fprintf(s.err, "%v: the export is made from the store, without what the agent alone knows of its coverage\n", err)
	}
	if errors.Is(err, errNoAgent) || errors.Is(err, errSilent) {
		err = f.exportStored(ctx, dir, w, inventory.ExportOptions{Format: x.format, Lang: x.lang, From: from, To: to})
	}
	if err = errors.Join(err, done()); err == nil && x.format != "html" && !(from.IsZero() && to.IsZero()) {
		err = remark(ctx, s.err, dir, from, to)
	}
	return err
}

// remark says beside a table of a period what the report says in it: of what part
// nothing is known.
func remark(ctx context.Context, w io.Writer, dir string, from, to time.Time) error {
	inv, err := inventory.OpenReadOnly(ctx, inventory.Options{Dir: dir, Log: zap.NewNop()})
	if err != nil {
		return err
	}
	texts, err := inv.Unknown(ctx, from, to, "en")
	for _, text := range texts {
		fmt.Fprintln(w, text)
	}
	return errors.Join(err, inv.Close())
}

// exportStored writes the export without an agent; the report's policies are
// those of --config.file, and so is its site, if it names one.
func (f *inventoryFlags) exportStored(ctx context.Context, dir string, w io.Writer, o inventory.ExportOptions) error {
	c, j, err := f.configured(dir)
	if err != nil {
		return err
	}
	inv, err := inventory.OpenReadOnly(ctx, inventory.Options{Dir: dir, Site: f.site(c), Log: zap.NewNop()})
	if err != nil {
		return err
	}
	o.Report = j.ReportFacts(version)
	o.Report.Property, o.Report.Organisation, o.Report.Contact = c.Site.Property, c.Site.Organisation, c.Site.Contact
	o.Report.UnassessedChannels, o.Report.RecordersChannelsUnknown = inv.Channels()
	o.Report.Notes = []string{inventory.NoteWithoutAgent}
	return errors.Join(inv.Export(ctx, w, o), inv.Close())
}

// diffWords are the headings of a diff, for one device and for several.
var diffWords = map[string][2][4]string{
	"en": {{"new", "gone", "returned", "changed"}, {"new", "gone", "returned", "changed"}},
	"fr": {{"nouveau", "disparu", "revenu", "modifié"}, {"nouveaux", "disparus", "revenus", "modifiés"}},
}

func printDiff(w io.Writer, d *inventory.Diff, lang string) error {
	if d.Blank() || d.Elsewhere() { // not even a nought
		_, err := fmt.Fprintf(w, "%s .. %s%s %s\n", stamp(d.From), stamp(d.To), inventory.Colon(lang), strings.Join(d.Unknown(lang), "\n"))
		return err
	}
	one, several := diffWords[lang][0], diffWords[lang][1]
	var sums []string
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i, part := range [][]inventory.Change{d.New, d.Gone, d.Returned, d.Changed} {
		word := one[i]
		if len(part) > 1 {
			word = several[i]
		}
		sums = append(sums, fmt.Sprintf("%d %s", len(part), word))
		for _, c := range part {
			names := make([]string, 0, len(c.Counts))
			for _, e := range inventory.EventNames {
				switch n := c.Counts[e]; {
				case n > 1:
					names = append(names, fmt.Sprintf("%s (%d×)", inventory.EventWord(lang, e), n))
				case n == 1:
					names = append(names, inventory.EventWord(lang, e))
				}
			}
			row(t, one[i], c.Device, dash(c.Manufacturer), dash(c.Model), dash(c.IP), dash(c.Location), strings.Join(names, ", "))
		}
	}
	fmt.Fprintf(t, "%s .. %s%s %s\n", stamp(d.From), stamp(d.To), inventory.Colon(lang), strings.Join(sums, ", "))
	for _, note := range append([]string{d.Also(lang)}, d.Unknown(lang)...) {
		if note != "" {
			fmt.Fprintln(t, note)
		}
	}
	return t.Flush()
}

func printMatch(w io.Writer, m *inventory.Match) error {
	c := m.Columns
	fmt.Fprintf(w, "columns: MAC: %s; serial: %s; IP: %s; name: %s; not used: %s\n", column(c.MAC), column(c.Serial), column(c.IP), column(c.Name), column(c.Unused))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	known := map[string]bool{}
	for _, a := range m.Both {
		known[a.Device] = true
		row(t, "both", "line "+strconv.Itoa(a.Line), dash(a.Name), a.Device, "by "+a.By, a.Note)
	}
	for _, a := range m.OnlyThere {
		row(t, "only there", "line "+strconv.Itoa(a.Line), dash(a.Name), dash(firstOf(a.MAC, a.Serial, a.IP)), "", a.Note)
	}
	for _, d := range m.OnlyHere {
		row(t, "only here", d.ID, dash(d.Manufacturer)+" "+d.Model, dash(address(d)), worst(d).Verdict, "")
	}
	match := "match"
	if len(m.Both) == 1 {
		match = "matches"
	}
	fmt.Fprintf(t, "%s %s %s, %s only in the list, %s only here\n", counted(len(m.Both), "line"), match, counted(len(known), "device"),
		counted(len(m.OnlyThere), "line"), counted(len(m.OnlyHere), "device"))
	return t.Flush()
}

// column lists the names of columns.
func column(names []string) string { return dash(shown(strings.Join(names, ", "))) }

// counted is a number of things.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
