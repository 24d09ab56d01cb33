package policy

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"camcensus/fingerprint"
)

func load(t *testing.T, name string) *Policy {
	t.Helper()
	ps, err := Load([]string{name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ps[0]
}

func day(text string) time.Time {
	at, _ := time.Parse(time.DateOnly, text)
	return at
}

func camera(c ...fingerprint.Candidate) fingerprint.Identity {
	id := fingerprint.Identity{Class: fingerprint.ClassCamera, MaybeCamera: true, Candidates: c}
	if len(c) > 0 {
		id.Manufacturer = c[0].Maker
	}
	return id
}

func TestEveryShippedListLoads(t *testing.T) {
	ps, err := Load(Shipped(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 4 {
		t.Fatalf("%d lists are shipped, not 4", len(ps))
	}
	for _, p := range ps {
		if len(p.Sources) == 0 {
			t.Errorf("%s: needs its sources", p.Name)
		}
	}
}

func TestVerdictFollowsTheInstrument(t *testing.T) {
	hik := fingerprint.Candidate{Maker: "Hikvision", Standing: fingerprint.Established}
	dahua := fingerprint.Candidate{Maker: "Dahua", Standing: fingerprint.Established}
	ezviz := fingerprint.Candidate{Maker: "EZVIZ", Of: "Hikvision", Standing: fingerprint.Established}
	lts := fingerprint.Candidate{Maker: "Hikvision", Relabel: true, Standing: fingerprint.Established}
	axis := fingerprint.Candidate{Maker: "Axis", Standing: fingerprint.Established}
	named := fingerprint.Candidate{Maker: "Hikvision", Standing: fingerprint.Named}
	lorex := fingerprint.Candidate{Maker: "Lorex", Of: "Dahua", Former: true, Standing: fingerprint.Established}
	huawei := fingerprint.Candidate{Maker: "Huawei", Standing: fingerprint.Established}
	router := camera(huawei)
	router.Class = fingerprint.ClassNetwork
	for _, c := range []struct {
		name, policy            string
		id                      fingerprint.Identity
		finding, acquired       string
		verdict, basis, measure string
	}{
		{"named and established", "ca-hikvision-2025", camera(hik), "", "", Banned, "named", "prohibited"},
		{"named, not established", "ca-hikvision-2025", camera(named), "", "", SuspectedV, "named", "ask"},
		{"relabel", "ca-hikvision-2025", camera(lts), "", "", Banned, "relabel", "ask"},
		{"affiliate where the order is silent", "ca-hikvision-2025", camera(ezviz), "", "", SuspectedV, "affiliate", "ask"},
		{"affiliate where the clause says so", "us-ndaa-889", camera(ezviz), "", "", Banned, "affiliate", "prohibited"},
		{"Dahua is not named by Canada", "ca-hikvision-2025", camera(dahua), "", "", Clear, "", ""},
		{"Dahua under 889", "us-ndaa-889", camera(dahua), "", "", Banned, "named", "prohibited"},
		{"the FCC's list is no use ban", "us-fcc-covered-list", camera(hik), "", "", Banned, "named", "no_use_ban"},
		{"another maker", "ca-hikvision-2025", camera(axis), "", "", Clear, "", ""},
		{"nobody established", "ca-hikvision-2025", camera(), "", "", Unknown, "", ""},
		{"no camera at all", "ca-hikvision-2025", fingerprint.Identity{Class: fingerprint.ClassUnknown}, "", "", Unclassified, "", ""},
		{"a router of a listed maker", "us-ndaa-889", router, "", "", OutOfScope, "", ""},
		{"a Huawei camera", "us-ndaa-889", camera(huawei), "", "", SuspectedV, "named", "ask"},
		{"a former member", "us-ndaa-889", camera(lorex), "", "", SuspectedV, "former_affiliate", "ask"},
		{"Quebec after the day", "ca-qc-2023", camera(dahua), "", "2024-03-01", Banned, "named", "prohibited"},
		{"Quebec on the last day", "ca-qc-2023", camera(dahua), "", "2023-12-21", SuspectedV, "named", "assess"},
		{"Quebec without a date", "ca-qc-2023", camera(dahua), "", "", SuspectedV, "named", "ask"},
		{"a person found Hikvision", "ca-hikvision-2025", camera(), "Hikvision", "", Banned, "named", "prohibited"},
		{"a person found another", "ca-hikvision-2025", camera(hik), "Axis", "", Clear, "", ""},
		{"a person found an affiliate", "ca-hikvision-2025", camera(), "EZVIZ", "", SuspectedV, "affiliate", "ask"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Judge(load(t, c.policy), c.id, c.finding, day(c.acquired), day("2026-11-22"))
			if v.Verdict != c.verdict || v.Basis != c.basis || v.Measure != c.measure {
				t.Errorf("got %s/%s/%s, want %s/%s/%s", v.Verdict, v.Basis, v.Measure, c.verdict, c.basis, c.measure)
			}
			if v.Text == "" || strings.Contains(v.Text, "{") {
				t.Errorf("text: %q", v.Text)
			}
		})
	}
}

func TestFCCTextDoesNotSayBannedFromUse(t *testing.T) {
	p := load(t, "us-fcc-covered-list")
	id := camera(fingerprint.Candidate{Maker: "Hikvision", Standing: fingerprint.Established})
	for _, lang := range []string{"en", "fr"} {
		text := p.Text(p.judge(id, "", time.Time{}), id, "", lang)
		if strings.Contains(strings.ToLower(text), "banned") || !strings.Contains(text, "Covered List") {
			t.Errorf("%s: %s", lang, text)
		}
	}
}

// TestEveryShippedListIsInFrench: a law and an office bear their French names
// in a French report, and the list says where those were read.
func TestEveryShippedListIsInFrench(t *testing.T) {
	names := map[string][]string{ // official names, and English ones in brackets, once each
		"ca-hikvision-2025":   {"Loi sur Investissement Canada", "gouverneur en conseil", "Ministre de l’Industrie"},
		"ca-qc-2023":          {"Loi sur la gouvernance et la gestion des ressources informationnelles des organismes publics et des entreprises du gouvernement", "Ministre de la Cybersécurité et du Numérique"},
		"us-ndaa-889":         {"(National Defense Authorization Act, NDAA)", "(Federal Acquisition Regulation, FAR)", "(FAR Council)"},
		"us-fcc-covered-list": {"(Secure and Trusted Communications Networks Act, 47 USC 1601)", "(Federal Communications Commission, FCC)"},
	}
	for _, name := range Shipped() {
		p := load(t, name)
		all := ""
		for key, w := range map[string]Words{"title": p.Titles, "instrument": p.Instrument, "issuer": p.Issuer, "says": p.Says, "instruction": p.Instruction} {
			if w.EN == "" && key == "instruction" {
				continue
			}
			if w.FR == "" || w.FR == w.EN {
				t.Errorf("%s: %s has no French", name, key)
			}
			if strings.ContainsAny(w.FR, "'") || strings.Contains(w.FR, " :") || strings.Contains(w.FR, " ;") {
				t.Errorf("%s: %s is not set as French is: %s", name, key, w.FR)
			}
			all += w.FR + "\n"
		}
		if len(names[name]) == 0 {
			t.Errorf("%s: name its French names here", name)
		}
		for _, want := range names[name] {
			if strings.Count(all, want) != 1 {
				t.Errorf("%s: %q stands %d times in\n%s", name, want, strings.Count(all, want), all)
			}
		}
		if !slices.ContainsFunc(p.Sources, func(s Source) bool {
			return strings.Contains(s.Fact, "French") && strings.Contains(s.Ref, "20")
		}) {
			t.Errorf("%s: no source for its French, with its date", name)
		}
	}
}

// TestEverySentenceIsInFrench holds the words of a verdict in both languages.
func TestEverySentenceIsInFrench(t *testing.T) {
	en, fr := reflect.ValueOf(english), reflect.ValueOf(french)
	for n := range en.NumField() {
		name := en.Type().Field(n).Name
		if en.Field(n).Kind() == reflect.String {
			if fr.Field(n).String() == "" || fr.Field(n).String() == en.Field(n).String() {
				t.Errorf("%s has no French", name)
			}
			continue
		}
		for _, key := range en.Field(n).MapKeys() {
			one, other := en.Field(n).MapIndex(key), fr.Field(n).MapIndex(key)
			if one.String() != "" && (!other.IsValid() || other.String() == "" || other.String() == one.String()) {
				t.Errorf("%s of %s has no French", name, key)
			}
		}
	}
}

// TestOwnListsSpeakTheLanguagesTheyGive: where a list gives no French, its
// English stands.
func TestOwnListsSpeakTheLanguagesTheyGive(t *testing.T) {
	good, err := shipped.ReadFile("lists/ca-hikvision-2025.yml")
	if err != nil {
		t.Fatal(err)
	}
	id := camera(fingerprint.Candidate{Maker: "Hikvision", Standing: fingerprint.Established})
	for instruction, want := range map[string]string{
		`"Ask the desk."`: "Ask the desk.",
		`{en: "Ask the desk.", fr: "Demander au bureau."}`: "Demander au bureau.",
		`{en: "Ask the desk."}`:                            "Ask the desk.",
		`{en: "Ask the desk.", de: "Fragen."}`:             "",
	} {
		text := strings.Replace(string(good), `instruction: ""`, "instruction: "+instruction, 1)
		p, faults := Parse("own.yml", []byte(text))
		if want == "" {
			if len(faults) != 1 || !strings.Contains(faults[0].Error(), "key de is not known") || !strings.HasPrefix(faults[0].Error(), "own.yml:") {
				t.Errorf("%s: %v", instruction, faults)
			}
			continue
		}
		if len(faults) > 0 {
			t.Errorf("%s: %v", instruction, faults)
			continue
		}
		if got := p.Text(p.judge(id, "", time.Time{}), id, "", "fr"); !strings.HasSuffix(got, " "+want) || !strings.Contains(got, "ne peuvent ni acheter") {
			t.Errorf("%s: %s", instruction, got)
		}
		if got := p.Text(p.judge(id, "", time.Time{}), id, "", "en"); !strings.HasSuffix(got, " Ask the desk.") {
			t.Errorf("%s: %s", instruction, got)
		}
	}
}

// TestAKnownDayOfPurchaseIsNotAskedFor: it is written down already.
func TestAKnownDayOfPurchaseIsNotAskedFor(t *testing.T) {
	p := load(t, "ca-qc-2023")
	id := camera(fingerprint.Candidate{Maker: "Dahua", Standing: fingerprint.Established})
	for acquired, asked := range map[string]bool{"": true, "2022-01-01": false, "2024-01-01": false} {
		v := p.judge(id, "", day(acquired))
		for lang, want := range map[string]string{"en": "write the day of purchase down", "fr": "la date d’achat"} {
			if text := p.Text(v, id, "", lang); strings.Contains(text, want) != asked {
				t.Errorf("bought %q: %s", acquired, text)
			}
		}
	}
}

// What is established is not called a sign that points: without the day of
// purchase that day is open, not the maker.
func TestAnEstablishedMakerIsSaidToHaveMadeIt(t *testing.T) {
	p := load(t, "ca-qc-2023")
	for standing, want := range map[fingerprint.Standing]string{
		fingerprint.Established: "Made by Dahua.",
		fingerprint.Named:       "The signs point to Dahua.",
	} {
		v := Judge(p, camera(fingerprint.Candidate{Maker: "Dahua", Standing: standing}), "", time.Time{}, day("2026-11-23"))
		if v.Verdict != SuspectedV || !strings.Contains(v.Text, want) || !strings.Contains(v.Text, "day of purchase") {
			t.Errorf("%s: %s", v.Verdict, v.Text)
		}
	}
}

func TestFaultsCiteTheirLine(t *testing.T) {
	good, err := shipped.ReadFile("lists/ca-qc-2023.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "verb: install", "verbe: install", "verbe"},
		{"wrong verdict", "verdict: banned, measure: prohibited}\n  - {maker: Dahua", "verdict: evil, measure: prohibited}\n  - {maker: Dahua", `verdict "evil"`},
		{"wrong class", "classes: [camera,", "classes: [kamera,", `class "kamera"`},
		{"wrong date", `after: "2023-12-21"`, `after: "Christmas"`, `acquired.after "Christmas"`},
		{"wrong verb", "verb: install", "verb: hate", `verb "hate"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(string(good), c.old, c.new, 1)
			if text == string(good) {
				t.Fatal("the change found no place")
			}
			file := filepath.Join(t.TempDir(), "own.yml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			faults := Check(file)
			if len(faults) == 0 {
				t.Fatal("no fault found")
			}
			got := faults[0].Error()
			if !strings.HasPrefix(got, file+":") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %s:LINE ... %s", got, file, c.want)
			}
		})
	}
}

func TestLoadNamesWhatIsShipped(t *testing.T) {
	_, err := Load([]string{"ca-dahua"}, nil)
	if err == nil || !strings.Contains(err.Error(), "ca-qc-2023") {
		t.Errorf("got %v", err)
	}
}

func TestSettledOnlyWhenNothingCanChange(t *testing.T) {
	ps, err := Load([]string{"ca-hikvision-2025"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	established := func(maker string, groups ...fingerprint.Group) fingerprint.Identity {
		c := fingerprint.Candidate{Maker: maker, Standing: fingerprint.Established, Groups: map[fingerprint.Group]fingerprint.Grade{}}
		for _, g := range groups {
			c.Groups[g] = fingerprint.Strong
		}
		return camera(c)
	}
	unknownClass := established("Hikvision", fingerprint.GroupFirmware)
	unknownClass.Class = fingerprint.ClassUnknown
	for _, c := range []struct {
		name string
		id   fingerprint.Identity
		want bool
	}{
		{"banned and its class known", established("Hikvision", fingerprint.GroupFirmware, fingerprint.GroupAddress), true},
		{"class not known", unknownClass, false},
		{"clear by firmware", established("Axis", fingerprint.GroupFirmware, fingerprint.GroupAddress), true},
		{"clear without a firmware answer", established("Axis", fingerprint.GroupCertificate, fingerprint.GroupAddress), false},
		{"suspected", camera(fingerprint.Candidate{Maker: "Hikvision", Standing: fingerprint.Suspected}), false},
		{"a router", fingerprint.Identity{Class: fingerprint.ClassNetwork}, true},
		{"nothing known", fingerprint.Identity{Class: fingerprint.ClassUnknown}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Settled(ps, c.id); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestANameThatEndsWithAStopEndsItsSentence: many makers are a "Co., Ltd.".
func TestANameThatEndsWithAStopEndsItsSentence(t *testing.T) {
	ps, err := Load(Shipped(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const name = "Dahua Technology Co., Ltd."
	for _, p := range ps {
		for _, v := range []Verdict{{Verdict: Banned, Basis: "named"}, {Verdict: SuspectedV, Basis: "relabel"}, {Verdict: Clear}, {Verdict: Unknown}, {Verdict: OutOfScope}} {
			for _, lang := range []string{"en", "fr"} {
				if text := p.Text(v, fingerprint.Identity{Manufacturer: name, Brand: name, Class: fingerprint.ClassCamera}, "", lang); strings.Contains(text, "..") {
					t.Errorf("%s", text)
				}
			}
		}
	}
}
