package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// inventoryFlags are shared by all inventory commands.
type inventoryFlags struct {
	storage    string
	configFile string
	by         string
}

func addInventory(app *kingpin.Application, commands map[string]action) {
	f := &inventoryFlags{}
	c := app.Command("inventory", "Read and edit what is remembered. Reading works beside a running agent; edits go through it.")
	c.Flag("storage.path", "Directory of the inventory.").StringVar(&f.storage)
	c.Flag("config.file", "Configuration file, for the policies of an edit without a running agent.").StringVar(&f.configFile)
	c.Flag("by", "Who does it (default: your user name).").StringVar(&f.by)
	f.addReading(c, commands)
	f.addEditing(c, commands)
}

// dir is the directory of an inventory that exists.
func (f *inventoryFlags) dir() (string, error) {
	dir, err := findStorage(f.storage)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, inventory.FileName)); err != nil {
		return "", fmt.Errorf("no inventory in %s: name its directory with --storage.path: %w", dir, err)
	}
	return dir, nil
}

// openReading opens the store read-only.
func (f *inventoryFlags) openReading(ctx context.Context) (*inventory.Inventory, error) {
	dir, err := f.dir()
	if err != nil {
		return nil, err
	}
	c, err := f.config()
	if err != nil {
		return nil, err
	}
	return inventory.OpenReadOnly(ctx, inventory.Options{Dir: dir, Site: f.site(c), Log: zap.NewNop()})
}

func (f *inventoryFlags) addReading(c *kingpin.CmdClause, commands map[string]action) {
	read := func(cmd *kingpin.CmdClause, do func(s streams, inv *inventory.Inventory) error) {
		commands[cmd.FullCommand()] = func(ctx context.Context, s streams) error {
			inv, err := f.openReading(ctx)
			if err != nil {
				return err
			}
			return errors.Join(do(s, inv), inv.Close())
		}
	}
	list := c.Command("list", "List the devices.")
	format := list.Flag("format", "Form of the result.").Default("table").Enum("table", "json", "jsonl", "csv")
	read(list, func(s streams, inv *inventory.Inventory) error { return listDevices(s.out, *format, inv.Devices()) })

	show := c.Command("show", "Show one device: what was seen, what it means, what would settle it.")
	id := show.Arg("id", "Device id.").Required().String()
	asJSON := show.Flag("json", "Print it as JSON.").Bool()
	records := show.Flag("records", "Print the raw records that made it flagged, as identify reads them.").Bool()
	read(show, func(s streams, inv *inventory.Inventory) error {
		if *records {
			return showRecords(s, inv, *id)
		}
		return showDevice(s.out, inv, *id, *asJSON)
	})

	events := c.Command("events", "List the events, oldest first.")
	device := events.Flag("device", "Of this device only.").String()
	name := events.Flag("event", "Of this kind only: "+strings.Join(inventory.EventNames, ", ")+".").PlaceHolder("EVENT").Enum(inventory.EventNames...)
	eventLines := events.Flag("json", "Print them as JSON lines, with all of their evidence and their hashes.").Bool()
	read(events, func(s streams, inv *inventory.Inventory) error {
		if err := everKnown(inv, *device); err != nil {
			return err
		}
		q := inventory.EventQuery{Device: *device, Event: *name, Oldest: true, Limit: 1000}
		if *eventLines {
			enc := json.NewEncoder(s.out)
			enc.SetEscapeHTML(false)
			return eachEvent(inv, q, func(e *inventory.Event) error { return enc.Encode(e) })
		}
		return listEvents(s.out, inv, q)
	})

	f.addReports(c, commands, read)
	f.addVerify(c, read)

	backup := c.Command("backup", "Write a copy of the inventory, also beside a running agent.")
	backupTo := backup.Arg("file", "File to write.").Required().String()
	read(backup, func(s streams, inv *inventory.Inventory) error {
		if err := inv.Backup(context.Background(), *backupTo); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s written\n", *backupTo)
		return nil
	})
}

type reader func(cmd *kingpin.CmdClause, do func(s streams, inv *inventory.Inventory) error)

func (f *inventoryFlags) addVerify(c *kingpin.CmdClause, read reader) {
	verify := c.Command("verify", "Prove that no event was altered, dropped or reordered.")
	head := verify.Flag("head", "Head of the chain as it was noted earlier.").String()
	seq := verify.Flag("seq", "Number of events at that time.").String()
	read(verify, func(s streams, inv *inventory.Inventory) error {
		at, err := earlierHead(*head, *seq)
		if err != nil {
			return err
		}
		v, err := inv.Verify(context.Background(), *head, at)
		if err != nil {
			return err
		}
		return showVerification(s.out, v)
	})
}

// headDigits is an earlier head: all 64 digits, or the first 12 or more of them,
// as the metrics show them.
var headDigits = regexp.MustCompile(`^[0-9A-Fa-f]{12,64}$`)

// earlierHead checks --head and --seq; it returns the number of the event, 0
// without.
func earlierHead(head, seq string) (int64, error) {
	switch {
	case head == "" && seq == "":
		return 0, nil
	case head == "" || seq == "":
		return 0, usageError{errors.New("--head and --seq go together")}
	case !headDigits.MatchString(head):
		return 0, usageError{fmt.Errorf("--head %s is no head of a chain: it needs its 64 hexadecimal digits, or at least the first 12", shown(head))}
	}
	at, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || at < 1 {
		return 0, usageError{fmt.Errorf("--seq %s is no number of events: it needs a whole number such as 146", shown(seq))}
	}
	return at, nil
}

func listDevices(w io.Writer, format string, devices []inventory.Device) error {
	switch format {
	case "json":
		return printJSON(w, map[string]any{"devices": devices, "total": len(devices)})
	case "jsonl":
		enc := json.NewEncoder(w)
		for _, d := range devices {
			if err := enc.Encode(d); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return printCSV(w, devices)
	}
	devices = append([]inventory.Device(nil), devices...)
	sort.SliceStable(devices, func(i, k int) bool {
		return verdictOrder[worst(devices[i]).Verdict] < verdictOrder[worst(devices[k]).Verdict]
	})
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tVERDICT\tSTATE\tCLASS\tMANUFACTURER\tBRAND\tMODEL\tIP\tFIRST SEEN\tLAST SEEN")
	for _, d := range devices {
		row(t, d.ID, worst(d).Verdict, string(d.State), string(d.Class),
			dash(d.Manufacturer), dash(d.Brand), dash(d.Model), dash(address(d)), stamp(d.FirstSeen), stamp(d.LastSeen))
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// wordless says what a verdict means where its own words are not kept.
var wordless = map[string]string{
	policy.OutOfScope:   "This is other equipment than the instrument reaches.",
	policy.Unclassified: "Nothing suggests that this is a camera, and nothing tells what it is.",
}

func showDevice(w io.Writer, inv *inventory.Inventory, id string, asJSON bool) error {
	d, ok := inv.Device(id)
	if !ok {
		return noDevice(id)
	}
	if asJSON {
		return printJSON(w, d)
	}
	var b strings.Builder
	say := func(format string, texts ...string) {
		words := make([]any, len(texts))
		for n, text := range texts {
			words[n] = shown(text)
		}
		fmt.Fprintf(&b, format, words...)
	}
	say("%s: %s, %s", d.ID, string(d.Class), string(d.State))
	if d.Manufacturer != "" {
		say(", made by %s", d.Manufacturer)
	}
	if d.Brand != "" && d.Brand != d.Manufacturer {
		say(", sold as %s", d.Brand)
	}
	say("\nmodel %s, firmware %s, serial %s\naddress %s, MAC %s, first seen %s, last seen %s\n",
		dash(d.Model), dash(d.Firmware), dash(d.Serial), dash(reached(d, d.IPs)), dash(strings.Join(d.MACs, " ")), stamp(d.FirstSeen), stamp(d.LastSeen))
	sayWhatPeopleSaid(say, &d)
	for _, v := range d.Verdicts {
		excepted := ""
		if v.Excepted {
			excepted = ", excepted"
		}
		say("\n%s: %s%s\n  %s\n", v.Policy, v.Verdict, excepted, cmp.Or(v.Text, wordless[v.Verdict], "The words of this finding are not kept, since they may name a person."))
	}
	say("\nwhat was seen, and what it means\n")
	for _, r := range d.Reasons {
		say("  - %s  [%s, %s, rule %s]\n", r.Text, string(r.Grade), string(r.Group), r.Rule)
	}
	if len(d.Reasons) == 0 {
		say("  - nothing that tells who made it\n")
	}
	for _, c := range d.Contradictions {
		say("contradiction: %s\n", c)
	}
	for _, m := range inv.Merges(d.ID) {
		say("%s was merged into it on %s (undo: camcensus inventory split %s --reason ...)\n", m.Gone, stamp(m.Time), m.Gone)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sayWhatPeopleSaid tells what only persons know of a device.
func sayWhatPeopleSaid(say func(format string, texts ...string), d *inventory.Device) {
	if det := d.Determination; det != nil {
		say("determined by %s on %s (%s): made by %s. %s\n", det.By, det.Date.Format(time.DateOnly), det.Basis, det.Manufacturer, det.Note)
		say("by the signs alone it was made by: %s\n", cmp.Or(d.BySigns, "unknown"))
	}
	for _, note := range [][2]string{
		{"location", d.Annotations.Location}, {"owner", d.Annotations.Owner}, {"acquired", d.Annotations.Acquired}, {"note", d.Annotations.Note},
	} {
		if note[1] != "" {
			say("%s: %s\n", note[0], note[1])
		}
	}
	for _, x := range d.Exceptions {
		words := "excepted under %s until %s, granted by %s, owner %s: %s  [%s]\n"
		if !x.InForce(time.Now()) {
			words = "exception under %s ended on %s, granted by %s, owner %s: %s  [%s]\n"
		}
		say(words, x.Policy, stamp(x.Expires), x.By, x.Owner, x.Reason, x.ID)
	}
	if r := d.Removal; r != nil {
		say("removed on %s by %s: %s\n", stamp(r.Time), r.By, r.Reason)
	}
	if !d.Returned.IsZero() {
		say("returned after its removal on %s\n", stamp(d.Returned))
	}
}

// showRecords prints the kept records of a device, one JSON object a line, and
// says where a flagged one has none.
func showRecords(s streams, inv *inventory.Inventory, id string) error {
	d, ok := inv.Device(id)
	if !ok {
		return noDevice(id)
	}
	records, err := inv.Records(context.Background(), d.ID)
	if err != nil {
		return err
	}
	if len(records) == 0 && slices.ContainsFunc(d.Verdicts, func(v policy.Verdict) bool { return v.Flagged() }) {
		fmt.Fprintf(s.err, "No raw record of %s is kept here.\n", d.ID)
		aside, err := inv.SetAside(context.Background())
		if err != nil {
			return err
		}
		if aside != nil {
			fmt.Fprintln(s.err, aside.Text("en"))
		}
	}
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// everKnown refuses the id of a device that neither is there nor has left an
// event; "" asks for no device.
func everKnown(inv *inventory.Inventory, id string) error {
	if _, ok := inv.Device(id); ok || id == "" {
		return nil
	}
	events, _, err := inv.Events(context.Background(), inventory.EventQuery{Device: id, Limit: 1})
	if err == nil && len(events) == 0 {
		err = noDevice(id)
	}
	return err
}

func noDevice(id string) error {
	return fmt.Errorf("%s: %w (camcensus inventory list shows the ids)", shown(id), inventory.ErrNoDevice)
}

// maxEvidenceShown is how much of an event's evidence the table shows, in
// characters.
const maxEvidenceShown = 60

func listEvents(w io.Writer, inv *inventory.Inventory, q inventory.EventQuery) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SEQ\tTIME\tDEVICE\tEVENT\tFROM\tTO\tBY\tEVIDENCE")
	err := eachEvent(inv, q, func(e *inventory.Event) error {
		row(t, strconv.FormatInt(e.Seq, 10), stamp(e.Time), e.Device, e.Event, dash(e.From), dash(e.To), dash(e.By), dash(beginOf(e.Evidence)))
		return nil
	})
	return errors.Join(err, t.Flush())
}

// beginOf is the begin of a text, on one line.
func beginOf(text string) string {
	line := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(text), " ")))
	if len(line) > maxEvidenceShown {
		line = append(line[:maxEvidenceShown-1], '…')
	}
	return string(line)
}

// eachEvent shows the events a query selects, page by page.
func eachEvent(inv *inventory.Inventory, q inventory.EventQuery, show func(*inventory.Event) error) error {
	for {
		events, next, err := inv.Events(context.Background(), q)
		if err != nil {
			return err
		}
		for n := range events {
			if err := show(&events[n]); err != nil {
				return err
			}
		}
		if q.Cursor = next; next == "" {
			return nil
		}
	}
}
