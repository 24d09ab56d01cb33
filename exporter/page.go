package exporter

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"

	"go.uber.org/zap"
)

//go:embed page
var pageFiles embed.FS

// pages are the templates and the static files of the page.
type pages struct {
	prefix  string
	views   map[string]*template.Template
	files   map[string][]byte
	version string // changes with the static files, so that browsers fetch new ones
}

var viewNames = []string{"overview", "device", "coverage", "events"}

func newPages(prefix string) (*pages, error) {
	p := &pages{prefix: prefix, views: make(map[string]*template.Template), files: make(map[string][]byte)}
	for _, name := range viewNames {
		view, err := template.New("layout.html").ParseFS(pageFiles, "page/layout.html", "page/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.views[name] = view
	}
	sum := sha256.New()
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		content, err := fs.ReadFile(pageFiles, "page/"+name)
		if err != nil {
			return nil, err
		}
		p.files[name] = content
		sum.Write(content)
	}
	p.version = hex.EncodeToString(sum.Sum(nil))[:12]
	return p, nil
}

var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func (p *pages) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	content, ok := p.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", staticTypes[path.Ext(name)])
	if r.URL.Query().Get("v") == p.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content) // the client is gone: nobody is left to tell
}

// frame is what every page shows around its own content.
type frame struct {
	tongue
	Prefix   string
	Assets   string // version of the static files
	Active   string // which page this is, for the navigation
	Title    string
	S        *Snapshot
	Editor   bool   // the reader may change things
	WhyNot   string // why not
	Switch   bool   // the reader may choose the language
	Path     string // of this page, below the prefix
	Notices  []notice
	Work     Progress
	WorkDone string // share, "" when unknown
}

// notice is something that a reader must know before the numbers.
type notice struct {
	Kind string // "bad" or "note"
	Text string
}

func (x *Exporter) frame(w http.ResponseWriter, r *http.Request, active string) frame {
	s := x.agent.Snapshot()
	f := frame{tongue: tongue{readerLanguage(s.Settings.Language, r)}, Prefix: x.prefix, Assets: x.pages.version, Active: active,
		S: s, Path: r.URL.Path, Work: s.Progress}
	f.Switch = s.Settings.Language != english && s.Settings.Language != french
	if r.URL.Query().Get("lang") == f.Lang && f.Switch {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: f.Lang, Path: x.prefix + "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
	}
	_, err := x.permit.user(r, s.Settings.Editors)
	f.Editor = err == nil
	if err != nil {
		f.WhyNot = err.Error()
	}
	if s.Progress.Total > 0 {
		f.WorkDone = f.Percent(s.Progress.Done, s.Progress.Total)
	}
	f.Notices = f.notices()
	return f
}

func (f *frame) notices() []notice {
	var all []notice
	add := func(when bool, kind, text string) {
		if when {
			all = append(all, notice{kind, text})
		}
	}
	s := f.S
	add(s.Storage.Problem != "", "bad", f.T("The store has a problem: %s", f.Phrase(s.Storage.Problem)))
	add(s.Config.Error != "", "bad", f.T("The last reload of the config failed, the old config is in force: %s", s.Config.Error))
	add(s.Pause.Operator, "note", f.T("Sending is paused by %s since %s. It goes on listening.", orUnknown(f.tongue, s.Pause.By), f.Time(s.Pause.Since)))
	add(s.Pause.QuietHours, "note", f.T("Quiet hours: nothing is sent until they end."))
	add(s.Pause.Mode, "note", f.T("Listen mode: nothing is ever sent. What does not speak by itself stays unseen."))
	add(len(s.Policies) == 0, "bad", f.T("No policy is active: nothing is judged."))
	return all
}

// show renders a view whole before the first byte leaves.
func (x *Exporter) show(w http.ResponseWriter, view string, content any) {
	var out bytes.Buffer
	if err := x.pages.views[view].Execute(&out, content); err != nil {
		x.log.Error("page: render", zap.String("view", view), zap.Error(err))
		fail(w, http.StatusInternalServerError, "internal", "the page could not be made")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language, Cookie")
	_, _ = w.Write(out.Bytes()) // the client is gone: nobody is left to tell
}

// Clock is a time with what a time element needs.
type Clock struct {
	Stamp, Text string
}

// Clock gives a time to a template; nil for a time that never was.
func (t tongue) Clock(at time.Time) *Clock {
	if at.IsZero() {
		return nil
	}
	return &Clock{t.Stamp(at), t.Time(at)}
}
