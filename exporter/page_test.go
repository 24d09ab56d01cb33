package exporter

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var pageTargets = []string{"/", "/devices/d-test000000031", "/devices/d-test000000032", "/devices/d-test000000035", "/devices/d-test000000038", "/devices/d-test000000039", "/coverage", "/events"}

func TestPagesAreMadeInBothLanguages(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for _, target := range pageTargets {
		for lang, word := range map[string]string{"en": ">Coverage<", "fr": ">Couverture<"} {
			w := request(x, "GET", target, "", "Accept-Language", lang+"-CA")
			body := w.Body.String()
			if w.Code != 200 || !strings.Contains(body, `<html lang="`+lang+`">`) || !strings.Contains(body, word) || !strings.HasSuffix(strings.TrimSpace(body), "</html>") {
				t.Errorf("%s in %s: %d %s", target, lang, w.Code, body)
			}
			if strings.Contains(body, "%!") {
				t.Errorf("%s in %s: a sentence lacks or exceeds its words", target, lang)
			}
		}
	}
}

func TestPagesEscapeWhatADeviceSays(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	for _, target := range pageTargets {
		body := request(x, "GET", target, "").Body.String()
		if strings.Contains(body, "<script>document") || regexp.MustCompile(`(?i)\son\w+=|style=`).MatchString(body) {
			t.Errorf("%s: a device's words are not escaped, or the page has inline code", target)
		}
	}
}

func TestTheUnknownStandFirst(t *testing.T) {
	body := request(newTestExporter(t, newTestAgent()), "GET", "/", "").Body.String()
	unknown, banned := strings.Index(body, `class="tile unknown"`), strings.Index(body, `class="tile banned"`)
	if unknown < 0 || banned < 0 || unknown > banned {
		t.Errorf("unknown at %d, banned at %d", unknown, banned)
	}
	for _, said := range []string{"Not assessed", "Blind spots", "10.30.0.0/24 was not swept lately", "ARP on eth0 is down", "services, components", "On the list", "Banned from use"} {
		if !strings.Contains(body, said) {
			t.Errorf("the first screen does not say %q", said)
		}
	}
}

func TestEverySentenceIsThereInFrench(t *testing.T) {
	inCode := regexp.MustCompile(`\.T\("((?:[^"\\]|\\.)*)"`)
	inTemplate := regexp.MustCompile(`\.T "((?:[^"\\]|\\.)*)"`)
	var sentences []string
	collect := func(pattern *regexp.Regexp, content []byte) {
		for _, m := range pattern.FindAllSubmatch(content, -1) {
			sentences = append(sentences, string(m[1]))
		}
	}
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if content, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, "_test.go") {
			collect(inCode, content)
		}
	}
	templates, _ := fs.Glob(pageFiles, "page/*.html")
	for _, name := range templates {
		content, err := fs.ReadFile(pageFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		collect(inTemplate, content)
	}
	for _, word := range eventWords {
		sentences = append(sentences, word)
	}
	if len(sentences) < 100 {
		t.Fatalf("only %d sentences found", len(sentences))
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	for _, s := range sentences {
		fr, ok := inFrench[s]
		if !ok {
			t.Errorf("no French for %q", s)
		}
		if !slices.Equal(verbs.FindAllString(s, -1), verbs.FindAllString(fr, -1)) {
			t.Errorf("%q and %q take different words", s, fr)
		}
	}
	for s := range inFrench {
		if !slices.Contains(sentences, s) {
			t.Errorf("nothing says %q any more", s)
		}
	}
}

func TestLanguageIsChosenByConfigThenReaderThenBrowser(t *testing.T) {
	for _, c := range []struct {
		configured, target, cookie, accept, want string
	}{
		{"auto", "/", "", "", "en"},
		{"", "/", "", "fr-CA, en;q=0.5", "fr"},
		{"auto", "/", "", "de, fr;q=0.5", "fr"},
		{"auto", "/", "", "de", "en"},
		{"auto", "/", "en", "fr", "en"},
		{"auto", "/?lang=fr", "en", "en", "fr"},
		{"fr", "/?lang=en", "en", "en", "fr"},
	} {
		r := httptest.NewRequest("GET", c.target, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.cookie})
		}
		if got := readerLanguage(c.configured, r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// browse runs a page in a real browser and returns what it then shows. With
// CAMCENSUS_SCREENSHOTS=DIR a picture is kept too.
func browse(t *testing.T, url, size, lang, picture string) string {
	t.Helper()
	chromium := tool(t, "chromium", "chromium")
	base := []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb", "--virtual-time-budget=3000",
		"--window-size=" + size, "--lang=" + lang, "--accept-lang=" + lang}
	run := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args = append(append(slices.Clone(base), "--user-data-dir="+t.TempDir()), args...)
		out, err := exec.CommandContext(ctx, chromium, append(args, url)...).Output()
		if err != nil {
			t.Fatalf("chromium %s: %v", url, err)
		}
		return string(out)
	}
	if dir := os.Getenv("CAMCENSUS_SCREENSHOTS"); dir != "" {
		run("--screenshot=" + filepath.Join(dir, picture+".png"))
	}
	return run("--dump-dom")
}

func TestBrowserShowsThePageAndRunsNothingOfADevice(t *testing.T) {
	a := newTestAgent()
	close(a.changes) // a stream that ends at once, so that the browser comes to rest
	x := newTestExporter(t, a)
	server := httptest.NewServer(x)
	defer server.Close()
	for _, c := range []struct {
		target, size, lang, picture string
		shows                       []string
	}{
		{"/", "1360,1500", "en-CA", "overview", []string{"LTS CMIP9342-28", "Nov 20, 2026", `class="scripted"`}},
		{"/", "390,3200", "en-CA", "overview-narrow", []string{"LTS CMIP9342-28"}},
		{"/", "1360,1500", "fr-CA", "overview-fr", []string{"Utilisation interdite", "20 nov. 2026"}},
		{"/devices/d-test000000031", "1360,1500", "en-CA", "device", []string{"What would settle it", "It speaks for Hikvision."}},
		{"/devices/d-test000000035", "1360,1600", "fr-CA", "device-hostile-fr", []string{"Ce qui trancherait", "&lt;script&gt;document.title="}},
		{"/coverage", "1360,1100", "en-CA", "coverage", []string{"needs CAP_NET_RAW"}},
		{"/events", "1360,700", "en-CA", "events", []string{"got another verdict"}},
	} {
		t.Run(c.picture, func(t *testing.T) {
			dom := browse(t, server.URL+c.target, c.size, c.lang, c.picture)
			for _, text := range c.shows {
				if !strings.Contains(dom, text) {
					t.Errorf("the browser does not show %q", text)
				}
			}
			if strings.Contains(dom, "<title>owned") {
				t.Error("a device's script ran")
			}
		})
	}
}

func TestOlderEventsKeepTheFilter(t *testing.T) {
	x := newTestExporter(t, newTestAgent())
	w := request(x, "GET", "/events?limit=1&since=2026-11-01&until=2026-11-30", "")
	if want := "cursor=next&amp;event=&amp;device=&amp;since=2026-11-01T00%3a00%3a00Z&amp;until=2026-11-30T23%3a59%3a59Z"; !strings.Contains(w.Body.String(), want) {
		t.Errorf("no %s in %s", want, regexp.MustCompile(`<nav class="turn".*`).FindString(w.Body.String()))
	}
}

func TestANameThatEndsWithAStopEndsItsSentence(t *testing.T) {
	for lang, want := range map[string]string{"en": "A person determined that Uniview Co., Ltd. made it.", "fr": "Une personne a déterminé que le fabricant est Uniview Co., Ltd."} {
		if got := (tongue{lang}).T("A person determined that %s made it.", "Uniview Co., Ltd."); !strings.HasPrefix(got, want) || strings.Contains(got, "..") {
			t.Error(got)
		}
		if got := (tongue{lang}).T("Two independent signs, one of them strong, say that %s made it.", "Uniview Co., Ltd."); strings.Contains(got, "..") {
			t.Error(got)
		}
	}
}
