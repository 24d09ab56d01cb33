package inventory

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// shippedFacts is a report's part that the shipped lists fill, and one of
// everything else that an agent says in words.
func shippedFacts(t *testing.T) (ReportFacts, []*policy.Policy) {
	t.Helper()
	lists, err := policy.Load(policy.Shipped(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := exampleFacts()
	f.Policies, f.NotInScope, f.Notes = nil, nil, []string{NoteWithoutAgent}
	for _, p := range lists {
		p.Instruction = policy.Words{EN: "Ask the desk in writing.", FR: "Demander au bureau par écrit."}
		f.Policies = append(f.Policies, ReportPolicy{
			Name: p.Name, Version: p.Version, Verb: p.Verb, ReviewedOn: p.ReviewedOn, Instruction: p.Instruction,
			Titles: p.Titles, Issuers: p.Issuer, Instruments: p.Instrument, NotAssessed: p.NotAssessed, Text: p.Text,
		})
	}
	f.Networks[1].Reason = "its last sweep is more than two intervals old"
	f.Sources = append(f.Sources, discovery.Status{Source: "snmp", Reason: "10.0.0.7: request timeout (after 1 retries): max retries exceeded\n10.0.0.8: not in scope (add it to networks)"})
	return f, lists
}

// judged is a site with a device for every way in which a list can judge one.
func judged(t *testing.T, lists []*policy.Policy) *site {
	s := newSite(t, Options{Site: "hq"})
	n := 0
	add := func(finding string, id fingerprint.Identity, acquired string) {
		n++
		d := s.see(fmt.Sprintf("10.0.0.%d", n), fmt.Sprintf("44:19:b6:00:00:%02x", n)).Device
		if finding != "" {
			if err := s.Determine(d, &Determination{Manufacturer: finding, Basis: "maker_letter"}, "alice"); err != nil {
				t.Fatal(err)
			}
		}
		if acquired != "" {
			if err := s.Annotate(d, AnnotationPatch{Acquired: ptr(acquired), Location: ptr("Quai 3")}, "alice"); err != nil {
				t.Fatal(err)
			}
		}
		bought, _ := time.Parse(time.DateOnly, acquired) // zero: not known
		var verdicts []policy.Verdict
		for _, p := range lists {
			verdicts = append(verdicts, policy.Judge(p, id, finding, bought, s.clock.now()))
		}
		s.Commit(d, id, verdicts, s.clock.now())
	}
	reason := fingerprint.Reason{Source: "http", Port: 80, Field: "server", Value: "App-webs/", Rule: "x/y", Supports: "Hikvision", Group: fingerprint.GroupFirmware, Grade: fingerprint.Strong}
	for _, c := range []fingerprint.Candidate{
		{Maker: "Hikvision"}, {Maker: "Hikvision", Relabel: true}, {Maker: "EZVIZ", Of: "Hikvision"}, {Maker: "Lorex", Of: "Dahua", Former: true}, {Maker: "Huawei"}, {Maker: "Axis"},
	} {
		for _, c.Standing = range []fingerprint.Standing{fingerprint.Suspected, fingerprint.Established} {
			for _, acquired := range []string{"", "2022-01-01", "2025-01-01"} {
				add("", fingerprint.Identity{Manufacturer: c.Maker, Brand: "LTS", Model: "X-1", Class: fingerprint.ClassCamera, MaybeCamera: true,
					Candidates: []fingerprint.Candidate{c}, Reasons: []fingerprint.Reason{reason}, Contradictions: []string{"The signs speak for two makers, Hikvision and Dahua."}}, acquired)
			}
		}
	}
	add("", fingerprint.Identity{Class: fingerprint.ClassRecorder, MaybeCamera: true}, "")
	add("", fingerprint.Identity{Manufacturer: "Huawei", Class: fingerprint.ClassNetwork}, "")
	add("Dahua", fingerprint.Identity{Class: fingerprint.ClassCamera}, "")
	devices := s.Devices()
	if _, err := s.Except(devices[0].ID, Exception{Policy: lists[0].Name, Owner: "Bob", Reason: "Remplacement", By: "alice", Expires: s.clock.now().Add(90 * day)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(devices[1].ID, "déposé", "alice"); err != nil {
		t.Fatal(err)
	}
	return s
}

// englishWords are such as no French sentence holds.
var englishWords = strings.Fields("the of and is not with by from this that its are was were have has may which who made answer answers device devices list lists since other under over seen sign signs whether ask buy network law order orders maker unknown camera recorder new gone changed returned missing removed on to until needs scope excluded")

// TestAFrenchReportHoldsNoEnglish renders the report of the shipped lists with
// every way to judge a device by them.
func TestAFrenchReportHoldsNoEnglish(t *testing.T) {
	facts, lists := shippedFacts(t)
	s := judged(t, lists)
	pages := map[string]string{}
	for _, lang := range []string{"en", "fr"} {
		pages[lang] = html.UnescapeString(export(t, s, ExportOptions{Format: "html", Lang: lang, From: start.Add(-day), To: s.clock.now().Add(day), Report: facts}))
	}
	for _, p := range lists {
		for key, w := range map[string]policy.Words{"title": p.Titles, "instrument": p.Instrument, "issuer": p.Issuer, "says": p.Says, "instruction": p.Instruction} {
			for lang, text := range map[string]string{"en": w.EN, "fr": w.FR} {
				if !strings.Contains(pages[lang], text) {
					t.Errorf("%s: the report in %s lacks its %s", p.Name, lang, key)
				}
			}
			if strings.Contains(pages["fr"], w.EN) {
				t.Errorf("%s: the French report gives its %s in English", p.Name, key)
			}
		}
	}
	for _, tag := range []string{"<h2>", "<h3>", "<article", "<tr>", "<li>", "<dt>"} {
		if en, fr := strings.Count(pages["en"], tag), strings.Count(pages["fr"], tag); en != fr || en == 0 {
			t.Errorf("%d of %s in English, %d in French", en, tag, fr)
		}
	}
	for _, line := range frenchLines(pages["fr"], lists) {
		for _, word := range strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return !unicode.IsLetter(r) }) {
			if slices.Contains(englishWords, word) {
				t.Errorf("%q in %q", word, line)
			}
		}
	}
}

// frenchLines are what a reader sees of a page, but for what stays as it is
// in every language: quoted values, names of lists and rules, commands, and
// English names in brackets.
func frenchLines(page string, lists []*policy.Policy) []string {
	page = regexp.MustCompile(`(?s)^.*</style>`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`(?s)<code>.*?</code>|<span class="rule">.*?</span>`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, "\n")
	for _, p := range lists {
		page = strings.ReplaceAll(page, p.Name, "")
	}
	page = regexp.MustCompile(`«[^»]*»|\((National|Federal|FAR|Secure|Public|Covered)[^)]*\)`).ReplaceAllString(page, "")
	page = strings.ReplaceAll(page, "à ajouter à networks", "")
	var out []string
	for line := range strings.Lines(page) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// TestWhatGoesWrongIsSaidInFrench: what a source, the scope or the store says
// of trouble, as it reaches the report. What the system says stands as it is.
func TestWhatGoesWrongIsSaidInFrench(t *testing.T) {
	for english, want := range map[string]string{
		"packet: raw socket on eth0: needs CAP_NET_RAW: names given by DHCP stay unknown": "prise brute sur eth0\u00a0: exige CAP_NET_RAW\u00a0: les noms donnés par DHCP restent inconnus",
		"larger than /20 on eth0: add to networks":                                        "plus grand que /20 sur eth0\u00a0: à ajouter à networks",
		"10.0.0.7: excluded (10.0.0.0/29)\n10.0.0.9: not in scope (add it to networks)":   "10.0.0.7\u00a0: exclu (10.0.0.0/29)\n10.0.0.9\u00a0: hors périmètre (à ajouter à networks)",
		"join 239.255.255.250 on eth0: no such device; join ff02::c on eth0: xyz":         "adhésion à 239.255.255.250 sur eth0\u00a0: aucun appareil de ce nom; adhésion à ff02::c sur eth0\u00a0: xyz",
		"write: database or disk is full (13) (the disk is full or read-only: going on from memory until it can be written)": "écriture\u00a0: database or disk is full (13) (le disque est plein ou en lecture seule\u00a0: " +
			"l’inventaire continue en mémoire jusqu’à ce qu’il puisse être écrit)",
		"something new": "something new",
	} {
		if got := Phrase("fr", english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
		if got := Phrase("en", english); got != english {
			t.Errorf("%q: %q", english, got)
		}
	}
}

// TestARoutersClassIsNoHeading: the word for a network's column is another.
func TestARoutersClassIsNoHeading(t *testing.T) {
	for lang, want := range map[string]string{"en": "Huawei (network equipment)", "fr": "Huawei (équipement de réseau)"} {
		if _, got := Told(lang, &Event{Event: "identified", To: "Huawei (network)"}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestEverySentenceOfTheAgentHasFrench reads the sentences that discovery and
// the agent put into a report out of their source.
func TestEverySentenceOfTheAgentHasFrench(t *testing.T) {
	found := 0
	for _, root := range []string{"../../discovery", "../agent"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			for _, sentence := range sentencesOf(file) {
				found++
				if Phrase("fr", sentence) == sentence {
					t.Errorf("%s: no French for %q", path, sentence)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 25 {
		t.Errorf("only %d sentences found", found)
	}
}

// sentencesOf are the strings of a file that say why something is not in
// scope, is down or is not seen, with a 7 in each place to fill.
func sentencesOf(file *ast.File) []string {
	var out []string
	take := func(root ast.Node) {
		ast.Inspect(root, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text, ok := textOf(e); ok {
					if strings.Count(text, " ") > 1 {
						out = append(out, text)
					}
					return false
				}
			}
			return true
		})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if name := n.Name.Name; name == "refusal" || strings.HasSuffix(strings.ToLower(name), "notes") {
				take(n.Body)
				return false
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "refuse" {
				take(n.Args[len(n.Args)-1])
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Remedy" {
				take(n.Value)
			}
		case *ast.AssignStmt:
			if to, ok := n.Lhs[0].(*ast.SelectorExpr); ok && (to.Sel.Name == "Notes" && file.Name.Name == "discovery" || to.Sel.Name == "Reason") {
				take(n.Rhs[0])
			}
		}
		return true
	})
	return out
}

var verb = regexp.MustCompile(`%[a-z]`)

// textOf puts a string's parts together.
func textOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return verb.ReplaceAllString(text, "7"), err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, one := textOf(e.X)
		right, other := textOf(e.Y)
		if e.Op != token.ADD || !one && !other {
			return "", false
		}
		if !one {
			left = "7"
		}
		if !other {
			right = "7"
		}
		return left + right, true
	}
	return "", false
}
