package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"camcensus/exporter"
	"camcensus/fingerprint"
	"camcensus/internal/agent"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// judgedBy makes an inventory with two Hikvision cameras that were judged by all
// shipped lists, and returns its directory and their ids.
func judgedBy(t *testing.T, lists ...string) (dir string, ids []string) {
	t.Helper()
	dir = t.TempDir()
	j, err := agent.NewJudge(agent.JudgeOptions{Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir, Site: "hq"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for n, addr := range []string{"10.0.0.1", "10.0.0.2"} {
		mac := []byte{0x44, 0x19, 0xb6, 1, 2, byte(n)}
		ev := []fingerprint.Evidence{{Source: "http", Port: 80, Field: "server", Value: "App-webs/", Solicited: true, Seen: now}}
		id := inv.Observe(inventory.Observation{Time: now, Source: "http", IP: netip.MustParseAddr(addr), MAC: mac, Evidence: ev}).Device
		d, _ := inv.Device(id)
		identity, verdicts := j.AssessDevice(d, inv.Evidence(id), now)
		inv.Commit(id, identity, verdicts, now)
		ids = append(ids, id)
	}
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, ids
}

// verdictsOf are a device's verdicts, and the number of events there are.
func verdictsOf(t *testing.T, dir, id string) (verdicts []string, events int64) {
	t.Helper()
	inv, err := inventory.OpenReadOnly(t.Context(), inventory.Options{Dir: dir, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	d, _ := inv.Device(id)
	for _, v := range d.Verdicts {
		verdicts = append(verdicts, v.Policy+" "+v.Verdict)
	}
	events, _ = inv.Chain()
	return verdicts, events
}

// TestAnOfflineEditDropsNoList: without the configuration of the agent, nothing
// is judged by fewer lists than the inventory is; what needs no judging is done.
func TestAnOfflineEditDropsNoList(t *testing.T) {
	dir, ids := judgedBy(t, policy.Shipped()...)
	files := t.TempDir()
	write := func(name, lists string) string {
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, []byte("policy: {lists: ["+lists+"]}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fewer, all := write("fewer.yml", "ca-hikvision-2025"), write("all.yml", strings.Join(policy.Shipped(), ", "))
	run := func(args ...string) result {
		return camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, args...)...)
	}
	before, events := verdictsOf(t, dir, ids[0])
	if len(before) != len(policy.Shipped()) {
		t.Fatal(before)
	}
	for _, edit := range [][]string{
		{"annotate", ids[0], "--acquired", "2024-05-01", "--location", "Door"}, {"determine", ids[0], "--manufacturer", "Axis", "--basis", "label"},
		{"determine", ids[0], "--withdraw"}, {"merge", ids[0], "--with", ids[1], "--reason", "r"}, {"split", ids[1], "--reason", "r"},
	} {
		for name, config := range map[string][]string{"the default configuration": nil, fewer: {"--config.file", fewer}} {
			res := run(append(config, edit...)...)
			for _, want := range []string{name, "lacks ca-qc-2023, us-fcc-covered-list, us-ndaa-889", "--config.file", "nothing was changed"} {
				if res.status != exitUsage || !strings.Contains(res.err, want) {
					t.Errorf("%v by %s: %d, no %q: %s", edit, name, res.status, want, res.err)
				}
			}
		}
	}
	if got, n := verdictsOf(t, dir, ids[0]); strings.Join(got, ", ") != strings.Join(before, ", ") || n != events {
		t.Errorf("%d events, %d before: %v, before %v", n, events, got, before)
	}
	for _, edit := range [][]string{
		{"annotate", ids[0], "--location", "Door"}, {"except", ids[0], "--policy", "us-ndaa-889", "--owner", "o", "--reason", "r", "--expires", "2037-01-01"},
		{"unexcept", ids[0], "--exception", "us-ndaa-889"}, {"remove", ids[1], "--reason", "r"},
		{"--config.file", all, "annotate", ids[0], "--acquired", "2024-05-01"}, {"--config.file", all, "merge", ids[0], "--with", ids[1], "--reason", "r"},
		{"--config.file", all, "split", ids[1], "--reason", "r"},
	} {
		if res := run(edit...); res.status != exitDone {
			t.Errorf("%v: %s", edit, res.err)
		}
	}
	if res := run("--config.file", "no-such.yml", "annotate", ids[0], "--note", "n"); res.status == exitDone {
		t.Error("a configuration that is not there is passed over")
	}
	if res := run("except", ids[0], "--policy", "no-list", "--owner", "o", "--reason", "r", "--expires", "2037-01-01"); res.status == exitDone {
		t.Error("an exception under no list")
	}
	got, _ := verdictsOf(t, dir, ids[0])
	if len(got) != len(before) || !strings.Contains(strings.Join(got, ", "), "ca-qc-2023 "+verdictUnder(before, "us-ndaa-889")) {
		t.Errorf("%v, before %v", got, before)
	}
	if res := run("events"); strings.Contains(res.out, "not active") {
		t.Error(res.out)
	}
}

func verdictUnder(verdicts []string, list string) string {
	for _, v := range verdicts {
		if name, verdict, _ := strings.Cut(v, " "); name == list {
			return verdict
		}
	}
	return ""
}

// TestAnOfflineEditJudgesByTheDefaultList: where the agent has no configuration
// file either, none is needed; a rule of one's own that named a device is.
func TestAnOfflineEditJudgesByTheDefaultList(t *testing.T) {
	dir, ids := judgedBy(t, "ca-hikvision-2025")
	determine := []string{"inventory", "--storage.path", dir, "determine", ids[0], "--manufacturer", "Axis", "--basis", "label"}
	if res := camcensus(t, nil, determine...); res.status != exitDone {
		t.Fatal(res.err)
	}
	if got, _ := verdictsOf(t, dir, ids[0]); strings.Join(got, ", ") != "ca-hikvision-2025 clear" {
		t.Error(got)
	}
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	inv.Commit(ids[1], fingerprint.Identity{Manufacturer: "Hikvision", Class: fingerprint.ClassCamera, Reasons: []fingerprint.Reason{
		{Source: "http", Port: 80, Field: "server", Value: "x", Rule: "own/server", Supports: "Hikvision", Group: fingerprint.GroupFirmware, Grade: fingerprint.Strong},
	}}, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.SuspectedV, Basis: "named", Verb: "use"}}, time.Now())
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
	determine[4] = ids[1]
	if res := camcensus(t, nil, determine...); res.status != exitUsage || !strings.Contains(res.err, "the rule own/server") {
		t.Errorf("%d: %s", res.status, res.err)
	}
}

// TestAnEditThatIsLostSaysSo: nobody goes on from memory once the command ends.
func TestAnEditThatIsLostSaysSo(t *testing.T) {
	full, other := errors.New("database or disk is full"), errors.New("other")
	deferred := errors.Join(inventory.ErrDeferred, full)
	for _, c := range []struct {
		edited, closed error
		want           string
	}{
		{nil, nil, ""}, {deferred, nil, ""}, {other, nil, "other"},
		{deferred, full, "the edit was NOT kept: make room"}, {nil, full, "the edit is kept, what follows from it"},
	} {
		got := kept("camcensus.db", c.edited, c.closed)
		if (got == nil) != (c.want == "") || got != nil && (!strings.Contains(got.Error(), c.want) || strings.Contains(got.Error(), "kept in memory")) {
			t.Errorf("%v, %v: %v", c.edited, c.closed, got)
		}
	}
}

// forged makes the first device of an inventory one with a note that plays a row
// of the table and takes hold of the terminal.
func forged(t *testing.T) (dir, id string) {
	t.Helper()
	dir, id = stored(t)
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	evil := "x\n999  2026-01-01T00:00:00Z  d-forged\tmerged\x1b[2J\u202e\u009b31m"
	for _, err := range []error{
		inv.Annotate(id, inventory.AnnotationPatch{Note: &evil, Location: &evil, Owner: &evil}, "eve\x1b[31m"),
		inv.Determine(id, &inventory.Determination{Manufacturer: evil, Basis: "label", Note: evil}, "eve"),
		inv.Remove(id, evil, "eve"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inv.Except(id, inventory.Exception{Policy: "ca-hikvision-2025", Owner: evil, Reason: evil, By: "eve", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	inv.Commit(id, fingerprint.Identity{Manufacturer: evil, Brand: evil, Model: evil, Firmware: evil, Serial: evil, Class: fingerprint.ClassCamera, Contradictions: []string{evil},
		Reasons: []fingerprint.Reason{{Source: "http", Field: "server", Value: evil, Text: evil, Rule: "x/y", Supports: "Hikvision", Group: fingerprint.GroupFirmware, Grade: fingerprint.Strong}},
	}, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Banned, Text: evil}}, time.Now())
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, id
}

func TestNothingThatWasWrittenTakesHoldOfATerminal(t *testing.T) {
	dir, id := forged(t)
	list := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(list, []byte("name,ip\n\"a\x1b[31m\nb\",10.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"list"}, {"show", id}, {"events"}, {"diff", "--from", "2026-01-01"}, {"import", list}} {
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, args...)...)
		if res.status != exitDone || strings.ContainsAny(res.out, "\x1b\u202e\u009b") {
			t.Errorf("%v: %d %s%q", args, res.status, res.err, res.out)
		}
		for line := range strings.Lines(res.out) {
			if strings.HasPrefix(line, "999") {
				t.Errorf("%v: a forged row: %s", args, line)
			}
		}
	}
	var errs, table strings.Builder
	if report(errors.New("x\x1b[2J"), &errs); errs.String() != "camcensus: x\\x1b[2J\n" {
		t.Errorf("%q", &errs)
	}
	scanned := exporter.Snapshot{Devices: []inventory.Device{{Model: "m\x1b[2J\nVERDICT", Class: "camera"}}, Notes: []string{"n\x1b[2J"}}
	if err := printTable(&table, &scanned, false); err != nil || strings.Contains(table.String(), "\x1b") || strings.Count(table.String(), "\nVERDICT") > 0 {
		t.Errorf("%q, %v", &table, err)
	}
	for text, want := range map[string]string{"a\tb\x00": `a\tb\x00`, "Numéro\u00a0: 数": "Numéro\u00a0: 数", "\xff\x9b": "\ufffd"} {
		if got := shown(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestShowTellsWhatPeopleSaid(t *testing.T) {
	dir, id := stored(t)
	run := func(args ...string) string {
		t.Helper()
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir, "--by", "alice"}, args...)...)
		if res.status != exitDone {
			t.Fatal(res.err)
		}
		return res.out
	}
	run("annotate", id, "--location", "Door 2", "--owner", "bob", "--note", "behind the plant")
	run("except", id, "--policy", "ca-hikvision-2025", "--owner", "carol", "--reason", "on order", "--expires", "2037-06-30")
	run("remove", id, "--reason", "form 17")
	got := run("show", id)
	for _, want := range []string{
		"location: Door 2\nowner: bob\nnote: behind the plant\n", "excepted under ca-hikvision-2025 until 2037-06-30T23:59:59Z, granted by alice, owner carol: on order  [x-",
		" by alice: form 17\n", "ca-hikvision-2025: banned, excepted\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestShowTellsThatAnExceptionHasEnded: the agent, which would take it off, may not
// run.
func TestShowTellsThatAnExceptionHasEnded(t *testing.T) {
	dir, id := stored(t)
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir, Now: func() time.Time { return time.Now().AddDate(0, 0, -2) }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = inv.Except(id, inventory.Exception{Policy: "ca-hikvision-2025", Owner: "carol", Reason: "on order", By: "alice", Expires: time.Now().AddDate(0, 0, -1)})
	if err := errors.Join(err, inv.Close()); err != nil {
		t.Fatal(err)
	}
	if res := camcensus(t, nil, "inventory", "--storage.path", dir, "show", id); !strings.Contains(res.out, "\nexception under ca-hikvision-2025 ended on 20") || strings.Contains(res.out, "excepted") {
		t.Error(res.out, res.err)
	}
}

func TestSlipsInArgumentsAreToldApart(t *testing.T) {
	dir, id := stored(t)
	head := strings.Repeat("ab", 32)
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"events --device d-typo", exitFailed, "d-typo: no such device"}, {"events --event bogus", exitUsage, "'bogus'"},
		{"events --event annotated", exitDone, ""}, {"events --device " + id, exitDone, ""},
		{"show d-typo", exitFailed, "no such device"}, {"show --records d-typo", exitFailed, "no such device"},
		{"verify --seq 1 --head " + head[:11], exitUsage, "no head of a chain"}, {"verify --seq 1 --head " + head + "00", exitUsage, "no head of a chain"},
		{"verify --seq abc --head " + head, exitUsage, "--seq abc is no number of events"}, {"verify --seq 0 --head " + head, exitUsage, "no number of events"},
		{"verify --seq 1", exitUsage, "go together"}, {"verify --head " + head, exitUsage, "go together"}, {"verify --seq 1 --head " + head, exitFailed, "does not hold"},
		{"verify", exitDone, ""},
	} {
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, strings.Fields(c.args)...)...)
		if res.status != c.status || !strings.Contains(res.err, c.want) || strings.Contains(res.err, "strconv") {
			t.Errorf("%s: %d, %s", c.args, res.status, res.err)
		}
	}
	if _, err := earlierHead(" "+head, "1"); !errors.As(err, new(usageError)) {
		t.Errorf("a padded head: %v", err)
	}
}

// TestEventsOfAForgottenDeviceAreThere: its id stands in the chain though it is
// no longer in the inventory.
func TestEventsOfAForgottenDeviceAreThere(t *testing.T) {
	dir, id := stored(t)
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir, Retention: inventory.Retention{Devices: time.Hour}, MissingAfter: 1,
		Now: func() time.Time { return time.Now().AddDate(1, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		inv.EndCycle(inventory.CycleEnd{Covered: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
	}
	if _, there := inv.Device(id); there {
		t.Fatal("it was not forgotten")
	}
	if err := everKnown(inv, id); err != nil {
		t.Error(err)
	}
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAnImportCountsLinesAndDevicesApart: two lines may be one device.
func TestAnImportCountsLinesAndDevicesApart(t *testing.T) {
	dir, id := stored(t)
	for list, want := range map[string]string{
		"ip\n10.0.0.1\n10.0.0.1\n10.0.0.9\n": "2 lines match 1 device, 1 line only in the list, 0 devices only here\n",
		"ip\n10.0.0.1\n":                     "1 line matches 1 device, 0 lines only in the list, 0 devices only here\n",
		"ip\n10.0.0.8\n10.0.0.9\n":           "0 lines match 0 devices, 2 lines only in the list, 1 device only here\n",
	} {
		file := filepath.Join(t.TempDir(), "list.csv")
		if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		res := camcensus(t, nil, "inventory", "--storage.path", dir, "import", file)
		if !strings.HasPrefix(res.out, "columns: MAC: -; serial: -; IP: ip; name: -; not used: -\n") || !strings.HasSuffix(res.out, want) || !strings.Contains(res.out, id) {
			t.Errorf("%q: %s%s", list, res.out, res.err)
		}
	}
}

// TestAFileSetAsideIsNamed: by the comparison, beside an export, and where the raw
// records of a flagged device are asked for.
func TestAFileSetAsideIsNamed(t *testing.T) {
	dir, _ := stored(t)
	if err := os.WriteFile(filepath.Join(dir, inventory.FileName), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	id := inv.Observe(inventory.Observation{Time: now, Source: "arp", IP: netip.MustParseAddr("10.0.0.1")}).Device
	inv.Commit(id, fingerprint.Identity{Class: fingerprint.ClassCamera}, []policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: policy.Banned}}, now)
	aside := filepath.Base(inv.Health().SetAside)
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"show --records " + id: "No raw record of " + id + " is kept here.\nAn earlier inventory was set aside as " + aside + ": ", "export --from 2020-01-01": aside,
		"diff --from 2020-01-01": aside, "diff --from 2020-01-01 --to 2020-02-01": aside, "diff --from 2020-01-01 --json": `"file": "` + aside,
		"diff --from 2020-01-01 --lang fr": "mis de côté sous " + aside, "export --format html": aside,
	} {
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, strings.Fields(args)...)...)
		if res.status != exitDone || !strings.Contains(res.out+res.err, want) || strings.Contains(args, "02-01") && strings.Contains(res.out, "0 new") {
			t.Errorf("%s: %d, no %q in %s%s", args, res.status, want, res.out, res.err)
		}
	}
}

// TestADiffTellsWhatItCannotKnow: before the inventory began, and of a device that
// stands under new though it also returned.
func TestADiffTellsWhatItCannotKnow(t *testing.T) {
	dir, id := stored(t)
	inv, err := inventory.Open(t.Context(), inventory.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	began := inv.Created().UTC().Format("2006-01-02 15:04") + " UTC"
	if err := inv.Remove(id, "scrap", "alice"); err != nil {
		t.Fatal(err)
	}
	inv.Observe(inventory.Observation{Time: time.Now(), Source: "arp", IP: netip.MustParseAddr("10.0.0.1")})
	if err := inv.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args         string
		want, lacked []string
	}{
		{"--from 2020-01-01 --to 2020-03-31", []string{"The inventory began on " + began + ", after this period: nothing is known of it.\n"}, []string{"0 new", "0 gone"}},
		{"--from 2020-01-01 --to 2020-03-31 --lang fr", []string{"L’inventaire a commencé le " + began + ", après cette période"}, []string{"0 nouveau"}},
		{"--from 2020-01-01", []string{"1 new, 0 gone, 0 returned", "appeared, returned, removed", "returned: 1. Each device stands in one list only.\n",
			"The inventory began on " + began + ": nothing is known of the time before.\n"}, []string{"Returned"}},
		{"--from 2020-01-01 --lang fr", []string{"apparu, revenu, retiré", "revenus durant la période\u00a0: 1.", "\u00a0: rien n’est connu de ce qui précède.\n"}, []string{"Revenu"}},
	} {
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir, "diff"}, strings.Fields(c.args)...)...)
		for _, want := range c.want {
			if !strings.Contains(res.out, want) {
				t.Errorf("%s: no %q in %s%s", c.args, want, res.out, res.err)
			}
		}
		for _, lacked := range c.lacked {
			if strings.Contains(res.out, lacked) {
				t.Errorf("%s: %q in %s", c.args, lacked, res.out)
			}
		}
	}
	for _, args := range []string{"export", "export --format json", "export --format html", "diff"} {
		for flags, want := range map[string]string{
			" --from 2999-01-01 --to 2999-02-01": "--from 2999-01-01 is yet to come", " --from 2999-01-01": "--from 2999-01-01 is yet to come",
			" --from 2020-02-02 --to 2020-01-01": "the period ends (--to 2020-01-01) before it begins",
		} {
			res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir}, strings.Fields(args+flags)...)...)
			if res.status != exitUsage || res.out != "" || !strings.Contains(res.err, want) {
				t.Errorf("%s%s: status %d, %s%s", args, flags, res.status, res.out, res.err)
			}
		}
	}
	for args, want := range map[string]string{
		"":                                  "",
		"--from 2020-01-01 --to 2020-03-31": "The inventory began on " + began + ", after this period: nothing is known of it.\n",
		"--from 2020-01-01":                 "The inventory began on " + began + ": nothing is known of the time before.\n",
		"--to 2999-01-01":                   "The period has not ended: this tells of it until ",
	} {
		res := camcensus(t, nil, append([]string{"inventory", "--storage.path", dir, "export"}, strings.Fields(args)...)...)
		if res.status != 0 || !strings.HasPrefix(res.err, want) || (want == "") != (res.err == "") {
			t.Errorf("export %s: status %d, %q, want %q", args, res.status, res.err, want)
		}
	}
}
