package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"camcensus/fingerprint"
	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// edit is one change, both as a call of the running agent's API and as one on
// the store itself.
type edit struct {
	method, path string
	body         any
	local        func(inv *inventory.Inventory, by string) error
	// sound is what the running agent checks of the edit; may be nil.
	sound func(inv *inventory.Inventory, j *agent.Judge) error
	// judges are the devices that the edit has judged anew.
	judges []string
}

// apply sends the edit to the running agent, or makes it on the store when no
// agent holds it.
func (f *inventoryFlags) apply(ctx context.Context, s streams, e edit) error {
	dir, err := f.dir()
	if err != nil {
		return err
	}
	by := f.by
	if by == "" {
		by = "unknown"
		if u, err := user.Current(); err == nil {
			by = u.Username
		}
	}
	file := filepath.Join(dir, inventory.FileName)
	if !mayWrite(file) {
		err = f.throughAgent(ctx, s, dir, e)
		if errors.Is(err, errNoAgent) {
			err = fmt.Errorf("%s may not be written by %s, and no agent is running that would do it: start the agent, or run this as the user who owns the file (sudo -u camcensus camcensus inventory ...)", file, by)
		}
		return told(s, err)
	}
	c, j, misled := f.configured(dir)
	inv, err := inventory.Open(ctx, f.editing(dir, c, j))
	switch {
	case errors.Is(err, inventory.ErrLocked):
		err = f.throughAgent(ctx, s, dir, e)
	case err == nil:
		if err = misled; err == nil || !e.configured() && f.configFile == "" {
			err = f.alone(inv, j, e, by)
		}
		err = kept(file, err, inv.Close())
	}
	return told(s, err)
}

// configured: the edit needs lists or rules.
func (e *edit) configured() bool { return e.sound != nil || e.judges != nil }

// editing is how the store is opened for an edit without a running agent. Where
// nobody told what names may be stored, those that are stay.
func (f *inventoryFlags) editing(dir string, c config.Config, j *agent.Judge) inventory.Options {
	o := inventory.Options{Dir: dir, Existing: true, Site: f.site(c), Hostnames: string(c.Inventory.Hostnames), Log: zap.NewNop()}
	if f.configFile == "" {
		o.Hostnames = string(config.HostnamesAll)
	}
	if j != nil {
		o.Judge = func(d inventory.Device, ev []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
			return j.AssessDevice(d, ev, time.Now())
		}
	}
	return o
}

// kept says what became of an edit: nobody goes on from memory, so that what is
// not on disk when the store is closed is lost.
func kept(file string, edited, closed error) error {
	switch {
	case errors.Is(edited, inventory.ErrDeferred) && closed == nil: // it was written after all
		return nil
	case errors.Is(edited, inventory.ErrDeferred):
		return fmt.Errorf("%s cannot be written: %w: the edit was NOT kept: make room on the disk, or make it writable, and make the edit again", file, closed)
	case edited == nil && closed != nil:
		return fmt.Errorf("%s cannot be written any more: %w: the edit is kept, what follows from it is judged when the agent starts", file, closed)
	}
	return errors.Join(edited, closed)
}

// throughAgent lets the running agent make the edit: it sees by itself who asks.
func (f *inventoryFlags) throughAgent(ctx context.Context, s streams, dir string, e edit) error {
	err := callAgent(ctx, dir, e.method, e.path, e.body, nil)
	if errors.Is(err, errSilent) {
		return fmt.Errorf("%w: the edit may still be made: look at camcensus inventory events before you repeat it", err)
	}
	if err == nil && f.by != "" {
		fmt.Fprintln(s.err, "--by is not taken over: the running agent writes down the user who asks it")
	}
	return err
}

// told says that an edit is done.
func told(s streams, err error) error {
	if err == nil {
		fmt.Fprintln(s.out, "done")
	}
	return err
}

// mayWrite tells whether this user may write the file. A file that cannot be
// opened for another reason is left to those who say why.
func mayWrite(file string) bool {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	return !errors.Is(err, fs.ErrPermission)
}

// alone makes the edit on the store, checked as the running agent would.
func (f *inventoryFlags) alone(inv *inventory.Inventory, j *agent.Judge, e edit, by string) error {
	if e.judges != nil {
		if err := f.judgedAlike(inv, j, e.judges); err != nil {
			return err
		}
	}
	if e.sound != nil {
		if err := e.sound(inv, j); err != nil {
			return err
		}
	}
	return e.local(inv, by)
}

// judgedAlike refuses to judge devices anew without a list that the inventory is
// judged by, or, where no configuration is named, without a rule that named one
// of them: their verdicts would fall by nothing but an oversight.
func (f *inventoryFlags) judgedAlike(inv *inventory.Inventory, j *agent.Judge, ids []string) error {
	where, remedy := "the default configuration", "name the agent's configuration with --config.file"
	if f.configFile != "" {
		where, remedy = f.configFile, "name the configuration that has them with --config.file"
	}
	lists := listsOf(inv)
	lacking := slices.DeleteFunc(slices.Clone(lists), func(name string) bool { return j.Active(name) == nil })
	if len(lacking) > 0 {
		return usageError{fmt.Errorf("the inventory is judged by %s, but %s lacks %s, and this edit judges the device anew: nothing was changed; %s, or start the agent and make the edit then",
			strings.Join(lists, ", "), where, strings.Join(lacking, ", "), remedy)}
	}
	if f.configFile != "" {
		return nil
	}
	for _, id := range ids {
		d, _ := inv.Device(id) // one that is not there names no rule
		for _, r := range d.Reasons {
			if r.Group != fingerprint.GroupAddress && !j.Knows(r.Rule) { // an address speaks by the registry
				return usageError{fmt.Errorf("%s was named with the rule %s, but %s lacks it, and this edit judges the device anew: nothing was changed; %s, or start the agent and make the edit then",
					d.ID, shown(r.Rule), where, remedy)}
			}
		}
	}
	return nil
}

// listsOf are the lists that the inventory is judged by.
func listsOf(inv *inventory.Inventory) []string {
	var names []string
	inv.EachBrief(func(d *inventory.Device) bool {
		for _, v := range d.Verdicts {
			if !slices.Contains(names, v.Policy) {
				names = append(names, v.Policy)
			}
		}
		return true
	})
	slices.Sort(names)
	return names
}

// site is the one that the file names; "", so that of the store, where it names
// none: that of the machine on which a list is looked at is no site.
func (f *inventoryFlags) site(c config.Config) string {
	if f.configFile == "" || c.Site.Name == config.Default().Site.Name {
		return ""
	}
	return c.Site.Name
}

// config is the file's, else the defaults.
func (f *inventoryFlags) config() (config.Config, error) {
	if f.configFile == "" {
		return config.Default(), nil
	}
	return config.Load(f.configFile)
}

// configured loads the configuration and the judge that an agent would run
// with over the inventory in dir.
func (f *inventoryFlags) configured(dir string) (config.Config, *agent.Judge, error) {
	c, err := f.config()
	if err != nil {
		return c, nil, err
	}
	registry, err := agent.Registry(dir)
	if err != nil {
		return c, nil, err
	}
	j, err := agent.NewJudge(agent.JudgeOptions{
		Lists: c.Policy.Lists, PolicyFiles: c.Policy.Files, RuleFiles: c.Fingerprint.Rules, Registry: registry,
	})
	return c, j, err
}

func (f *inventoryFlags) addEditing(c *kingpin.CmdClause, commands map[string]action) {
	add := func(cmd *kingpin.CmdClause, make func(id string) (edit, error)) {
		id := cmd.Arg("id", "Device id.").Required().String()
		commands[cmd.FullCommand()] = func(ctx context.Context, s streams) error {
			e, err := make(url.PathEscape(*id))
			if err != nil {
				return err
			}
			return f.apply(ctx, s, e)
		}
	}
	f.addExcept(c, add)
	addRemove(c, add)
	addMerge(c, add)
	addAnnotate(c, add)
	addDetermine(c, add)
}

type adder func(cmd *kingpin.CmdClause, make func(id string) (edit, error))

func devicePath(id, rest string) string { return "/api/v1/devices/" + id + "/" + rest }

func (f *inventoryFlags) addExcept(c *kingpin.CmdClause, add adder) {
	except := c.Command("except", "Grant a written, owned, expiring permission for one device under one policy.")
	pol := except.Flag("policy", "Policy it is granted under.").Required().String()
	owner := except.Flag("owner", "Who answers for it.").Required().String()
	reason := except.Flag("reason", "Why.").Required().String()
	expires := except.Flag("expires", "Last day (YYYY-MM-DD, by UTC), or a time (RFC 3339).").Required().String()
	add(except, func(id string) (edit, error) {
		until, err := moment(*expires, 24*time.Hour-time.Second)
		if err != nil {
			return edit{}, err
		}
		x := inventory.Exception{Policy: *pol, Owner: *owner, Reason: *reason, Expires: until}
		body := map[string]string{"policy": *pol, "owner": *owner, "reason": *reason, "expires": until.Format(time.RFC3339)}
		return edit{method: http.MethodPost, path: devicePath(id, "exceptions"), body: body, local: func(inv *inventory.Inventory, by string) error {
			x.By = by
			_, err := inv.Except(id, x)
			return err
		}, sound: func(inv *inventory.Inventory, j *agent.Judge) error {
			if f.configFile == "" && slices.Contains(listsOf(inv), *pol) {
				return nil
			}
			return j.Active(*pol)
		}}, nil
	})

	unexcept := c.Command("unexcept", "Withdraw an exception.")
	which := unexcept.Flag("exception", "Id of the exception, or the policy it is under.").Required().String()
	add(unexcept, func(id string) (edit, error) {
		return edit{method: http.MethodDelete, path: devicePath(id, "exceptions/"+url.PathEscape(*which)), local: func(inv *inventory.Inventory, by string) error {
			return inv.Unexcept(id, *which, by)
		}}, nil
	})
}

func addRemove(c *kingpin.CmdClause, add adder) {
	remove := c.Command("remove", "Note that a device was taken away.")
	reason := remove.Flag("reason", "Why, and where to.").Required().String()
	add(remove, func(id string) (edit, error) {
		body := map[string]string{"reason": *reason}
		return edit{method: http.MethodPost, path: devicePath(id, "removal"), body: body, local: func(inv *inventory.Inventory, by string) error {
			return inv.Remove(id, *reason, by)
		}}, nil
	})
}

func addMerge(c *kingpin.CmdClause, add adder) {
	merge := c.Command("merge", "Note that two ids are one device. The older id lives on; split undoes it.")
	with := merge.Flag("with", "The other id.").Required().String()
	why := merge.Flag("reason", "Why.").Required().String()
	add(merge, func(id string) (edit, error) {
		body := map[string]string{"with": *with, "reason": *why}
		return edit{method: http.MethodPost, path: devicePath(id, "merge"), body: body, local: func(inv *inventory.Inventory, by string) error {
			_, err := inv.Merge(id, *with, *why, by)
			return err
		}, judges: []string{id, *with}}, nil
	})

	split := c.Command("split", "Undo a merge: name the id that was merged away, as show and events tell it. The two are not merged again by themselves.")
	reason := split.Flag("reason", "Why.").Required().String()
	add(split, func(id string) (edit, error) {
		body := map[string]string{"reason": *reason}
		return edit{method: http.MethodPost, path: devicePath(id, "split"), body: body, local: func(inv *inventory.Inventory, by string) error {
			return inv.Split(id, *reason, by)
		}, judges: []string{id}}, nil
	})
}

func addAnnotate(c *kingpin.CmdClause, add adder) {
	annotate := c.Command("annotate", "Note what only a person knows of a device. Flags that are not given keep what is noted.")
	notes := map[string]*annotation{}
	for name, help := range map[string]string{
		"location": "Where it hangs.", "owner": "Whose it is.", "acquired": "When it was acquired (YYYY-MM-DD).", "note": "Anything else.",
	} {
		notes[name] = &annotation{}
		annotate.Flag(name, help).SetValue(notes[name])
	}
	add(annotate, func(id string) (edit, error) {
		if len(given(notes)) == 0 {
			return edit{}, usageError{errors.New("annotate needs --location, --owner, --acquired or --note")}
		}
		change := inventory.AnnotationPatch{
			Location: notes["location"].text, Owner: notes["owner"].text, Acquired: notes["acquired"].text, Note: notes["note"].text,
		}
		e := edit{method: http.MethodPatch, path: devicePath(id, "annotations"), body: given(notes), local: func(inv *inventory.Inventory, by string) error {
			return inv.Annotate(id, change, by)
		}}
		if change.Acquired != nil {
			e.judges = []string{id}
		}
		return e, nil
	})
}

// annotation is a text flag that knows whether it was given.
type annotation struct{ text *string }

func (a *annotation) Set(s string) error { a.text = &s; return nil }

func (a *annotation) String() string {
	if a.text == nil {
		return ""
	}
	return *a.text
}

func given(notes map[string]*annotation) map[string]string {
	out := map[string]string{}
	for name, a := range notes {
		if a.text != nil {
			out[name] = *a.text
		}
	}
	return out
}

func addDetermine(c *kingpin.CmdClause, add adder) {
	determine := c.Command("determine", "Note a person's finding on who made a device. It decides.")
	maker := determine.Flag("manufacturer", "Who made it.").String()
	basis := determine.Flag("basis", "What the finding rests on.").Enum("label", "document", "maker_letter", "inspection")
	date := determine.Flag("date", "Day of the finding (YYYY-MM-DD by UTC; default: today).").String()
	note := determine.Flag("note", "What was read or found.").String()
	withdraw := determine.Flag("withdraw", "Withdraw the finding.").Bool()
	add(determine, func(id string) (edit, error) {
		if *withdraw {
			return edit{method: http.MethodDelete, path: devicePath(id, "determination"), local: func(inv *inventory.Inventory, by string) error {
				return inv.Determine(id, nil, by)
			}, judges: []string{id}}, nil
		}
		if *maker == "" || *basis == "" {
			return edit{}, usageError{errors.New("determine needs --manufacturer and --basis, or --withdraw")}
		}
		on, err := moment(*date, 0)
		if err != nil {
			return edit{}, err
		}
		if on.IsZero() {
			on = time.Now()
		}
		d := inventory.Determination{Manufacturer: *maker, Basis: *basis, Date: on, Note: *note}
		body := map[string]string{"manufacturer": *maker, "basis": *basis, "date": on.Format(time.RFC3339), "note": *note}
		return edit{method: http.MethodPost, path: devicePath(id, "determination"), body: body, local: func(inv *inventory.Inventory, by string) error {
			d.By = by
			return inv.Determine(id, &d, by)
		}, sound: func(_ *inventory.Inventory, j *agent.Judge) (err error) {
			d.Manufacturer, err = j.Finding(d.Manufacturer)
			return err
		}, judges: []string{id}}, nil
	})
}
