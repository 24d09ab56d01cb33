package exporter

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
)

// formats are the export's formats with their content types.
var formats = map[string]string{
	"csv":   "text/csv; charset=utf-8",
	"json":  "application/json",
	"jsonl": "application/jsonl",
	"html":  "text/html; charset=utf-8",
}

// reportPolicy lets the audit report, one self-contained file, bring its own
// style; it runs no script and loads nothing.
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (x *Exporter) export(w http.ResponseWriter, r *http.Request) {
	o, err := x.parseExport(r)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	started := &startedWriter{w: w, begin: func(h http.Header) {
		h.Set("Content-Type", formats[o.Format])
		if o.Format == "html" {
			h.Set("Content-Security-Policy", reportPolicy)
		}
		h.Set("Content-Disposition", fmt.Sprintf(`%s; filename="camcensus-%s-%s.%s"`, disposition(o.Format),
			fileName(x.agent.Snapshot().Site.Name), x.now().UTC().Format(time.DateOnly), o.Format))
	}}
	if o.Format == "csv" && r.URL.Query().Get("bom") == "1" {
		started.before = mark
	}
	if err := x.agent.Export(r.Context(), started, o); err != nil {
		x.log.Warn("export: write the inventory", zap.String("format", o.Format), zap.Error(err))
		if !started.begun {
			failWith(w, err)
			return
		}
		panic(http.ErrAbortHandler) // the client must see that the file is not whole
	}
	started.start()
}

// mark is the byte order mark, by which a spreadsheet knows UTF-8.
const mark = "\ufeff"

func (x *Exporter) parseExport(r *http.Request) (ExportOptions, error) {
	query := r.URL.Query()
	o := ExportOptions{Format: query.Get("format"), Lang: query.Get("lang")}
	if o.Format == "" {
		o.Format = "json"
	}
	if _, ok := formats[o.Format]; !ok {
		return o, fmt.Errorf("format %q is none of csv, json, jsonl, html", printable(o.Format, 20))
	}
	if o.Lang == "" {
		o.Lang = readerLanguage(x.agent.Snapshot().Settings.Language, r)
	}
	if o.Lang != "en" && o.Lang != "fr" {
		return o, fmt.Errorf("lang %q is none of en, fr", printable(o.Lang, 20))
	}
	var err error
	if o.From, err = parseTime("from", query.Get("from"), false); err != nil {
		return o, err
	}
	if o.To, err = parseTime("to", query.Get("to"), true); err != nil {
		return o, err
	}
	end := o.To
	if end.IsZero() {
		end = x.now()
	}
	if o.From.After(x.now()) {
		return o, fmt.Errorf("the period begins on %s, which is yet to come: nothing can be known of it", o.From.UTC().Format(time.RFC3339))
	}
	if !o.From.Before(end) {
		return o, fmt.Errorf("the period begins (%s) when it has ended (%s)", o.From.Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	}
	return o, nil
}

func disposition(format string) string {
	if format == "html" {
		return "inline"
	}
	return "attachment"
}

// fileName keeps of a site's name what any file system takes.
func fileName(site string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && (modelByte(byte(r)) && !strings.ContainsRune(" /+()", r)) {
			return r
		}
		return '_'
	}, printable(site, 40))
}

// startedWriter sets the headers at the first byte, so that an error before it
// still gets an answer of its own.
type startedWriter struct {
	w      http.ResponseWriter
	begin  func(http.Header)
	before string // goes before the first byte
	begun  bool
}

func (s *startedWriter) start() {
	if !s.begun {
		s.begun = true
		s.begin(s.w.Header())
	}
}

func (s *startedWriter) Write(b []byte) (int, error) {
	if !s.begun && s.before != "" {
		s.start()
		if _, err := io.WriteString(s.w, s.before); err != nil {
			return 0, err
		}
	}
	s.start()
	return s.w.Write(b)
}

//go:embed openapi.json
var openAPI string

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, openAPI) // the client is gone: nobody is left to tell
}
