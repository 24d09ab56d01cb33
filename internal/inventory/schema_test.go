package inventory

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camcensus/discovery"
	"camcensus/internal/policy"
)

// released are the stores of every released schema, as that release wrote
// them, with the head of their chain. Each is made once, by
// CAMCENSUS_WRITE_STORE=testdata/schema1.db, and never again.
var released = []struct {
	file   string
	head   string
	length int64
}{
	{"schema1.db", schema1Head, 13},
	{"schema2.db", schema2Head, 13},
}

const (
	schema1Head = "33cc74c436274ad1a8400b5e131ce2a9b644d34d340530b192e3d159dd4d061f"
	schema2Head = "22e22a0b85d76314ad792d35f52bcef3e9fc2bdfd49efbdcb8a938271b4332e2"
)

func TestStoresOfEveryReleaseOpen(t *testing.T) {
	if to := os.Getenv("CAMCENSUS_WRITE_STORE"); to != "" {
		writeStore(t, to)
	}
	if len(released) != len(migrations) {
		t.Fatalf("%d schemas, %d stores to try them on", len(migrations), len(released))
	}
	for _, r := range released {
		t.Run(r.file, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Site: "hq"}
			writeReleased(t, o.Dir, r.file)
			s := newSite(t, o)
			s.clock.t.Store(start.AddDate(1, 0, 0).UnixNano())
			checkReleased(s, r.head, r.length)
		})
	}
}

// writeReleased puts the store of a release into a directory.
func writeReleased(t *testing.T, dir, file string) {
	t.Helper()
	form, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), form, 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkReleased holds a store against what writeStore put into it.
func checkReleased(s *site, head string, length int64) {
	t := s.t
	t.Helper()
	if v, err := s.Verify(t.Context(), head, length); err != nil || !v.OK() || v.Length != length {
		t.Fatalf("%+v %v", v, err)
	}
	s.want(3)
	all := s.Devices()
	a, b := all[0], all[1]
	if a.Manufacturer != "Hikvision" || len(a.Verdicts) != 1 || a.Verdicts[0].Verdict != policy.Banned || a.MACs[0] != macA || a.IPs[0] != "10.0.0.1" {
		t.Errorf("%+v", a)
	}
	if a.Annotations.Location != "Lobby" || len(a.Exceptions) != 1 || a.Exceptions[0].Owner != "Facilities" {
		t.Errorf("%+v %+v", a.Annotations, a.Exceptions)
	}
	if len(s.Inventory.Evidence(a.ID)) != 2 {
		t.Errorf("%+v", s.Inventory.Evidence(a.ID))
	}
	if r, err := s.Records(t.Context(), a.ID); err != nil || len(r) != 1 || r[0].Raw == "" {
		t.Errorf("%+v %v", r, err)
	}
	if b.Determination == nil || b.Determination.Manufacturer != "Axis" || b.State != Removed {
		t.Errorf("%+v", b)
	}
	m := s.Merges(all[2].ID)
	if len(m) != 1 {
		t.Fatalf("%+v", m)
	}
	if err := s.Split(m[0].Gone, "two after all", "alice"); err != nil {
		t.Fatal(err)
	}
	s.want(4)
	if v, err := s.Verify(t.Context(), "", 0); err != nil || !v.OK() || v.Length <= length {
		t.Errorf("%+v %v", v, err)
	}
}

// writeStore makes the store of a release.
func writeStore(t *testing.T, to string) {
	s := newSite(t, Options{Dir: t.TempDir(), Site: "hq"})
	a := s.Observe(Observation{
		Time: s.clock.now(), Source: "http", Interface: "eth0", Kind: "http", IP: ip("10.0.0.1"), MAC: mac(macA),
		Evidence: ev("http", 80, "server", "App-webs/", "title", "Login"),
		Record:   discovery.Record{Host: "10.0.0.1", Kind: "http", Port: 80, Path: "/", Raw: "HTTP/1.1 200 OK\r\nServer: App-webs/\r\n\r\n"},
	}).Device
	s.camera(a, policy.Banned)
	b := s.see("10.0.0.2", macB, ev("sadp", 37020, "serial", "DS-2CD20123456789")...).Device
	s.camera(b, policy.SuspectedV)
	c, d := s.see("10.0.0.3", macC).Device, s.see("10.0.0.4", "3c:ef:8c:10:20:04").Device
	s.camera(c, policy.Clear)
	s.end(lan)
	if _, err := s.Merge(c, d, "two interfaces", "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Except(a, Exception{Policy: "ca-hikvision-2025", Owner: "Facilities", Reason: "ordered", By: "alice", Expires: start.AddDate(10, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Annotate(a, AnnotationPatch{Location: ptr("Lobby")}, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.Determine(b, &Determination{Manufacturer: "Axis", Basis: "label", Date: start, Note: "read"}, "bob"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(b, "scrapped", "bob"); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	length, head := s.Chain()
	t.Logf("%s: %d events, head %s", to, length, head)
}

// TestMigrationKeepsWhatIsThere tries the mechanism on a step that is yet to
// come.
func TestMigrationKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	db, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	one := migrations[:1]
	two := []string{one[0], "ALTER TABLE devices ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'; UPDATE meta SET value = value || '!'"}
	broken := []string{one[0], "ALTER TABLE devices ADD COLUMN colour TEXT; UPDATE nothing SET value = 1"}
	count := func(query string) (n int) {
		t.Helper()
		if err := db.QueryRow(query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ctx, soon := context.WithTimeout(t.Context(), time.Minute)
	defer soon()
	if err := migrate(ctx, db, one); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"INSERT INTO meta VALUES ('created', 'x')", "INSERT INTO devices VALUES (1, 'd-a', 'present', 'camera', 'Axis', 1, 2, x'00')"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrate(ctx, db, broken); err == nil || !strings.Contains(err.Error(), "schema 2") {
		t.Errorf("a broken step: %v", err)
	}
	if n := count("SELECT count(*) FROM pragma_table_info('devices') WHERE name = 'colour'"); n != 0 || count("PRAGMA user_version") != 1 {
		t.Error("half a step was kept")
	}
	if err := readable(ctx, db, two); err == nil || !strings.Contains(err.Error(), "needs camcensus run") {
		t.Errorf("an older store for a reader: %v", err)
	}
	for range 2 { // the second time there is nothing to do
		if err := migrate(ctx, db, two); err != nil {
			t.Fatal(err)
		}
	}
	if count("SELECT count(*) FROM devices WHERE id = 'd-a' AND colour = 'white'") != 1 || count("SELECT count(*) FROM meta WHERE value = 'x!'") != 1 || count("PRAGMA user_version") != 2 {
		t.Error("the step was not made, or not once")
	}
	for name, err := range map[string]error{"writer": migrate(ctx, db, one), "reader": readable(ctx, db, one)} {
		if err == nil || !strings.Contains(err.Error(), "needs a newer camcensus") {
			t.Errorf("a newer store, %s: %v", name, err)
		}
	}
}
