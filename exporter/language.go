package exporter

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"

	"golang.org/x/text/language"
)

// The languages of the page.
const (
	english = "en"
	french  = "fr"
)

// languageCookie remembers a reader's choice by the page's own link.
const languageCookie = "camcensus_language"

var matcher = language.NewMatcher([]language.Tag{language.English, language.French})

// readerLanguage is the language of the answer: the config's where it names
// one, else the reader's own choice, else the browser's.
func readerLanguage(configured string, r *http.Request) string {
	if configured == english || configured == french {
		return configured
	}
	if chosen := r.URL.Query().Get("lang"); chosen == english || chosen == french {
		return chosen
	}
	if c, err := r.Cookie(languageCookie); err == nil && (c.Value == english || c.Value == french) {
		return c.Value
	}
	_, index := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
	if index == 1 {
		return french
	}
	return english
}

// tongue says things in one language. English is the key of every sentence;
// the French ones stand in french.go.
type tongue struct{ Lang string }

// T gives the sentence in the reader's language, with args put in as fmt does.
func (t tongue) T(sentence string, args ...any) string {
	if t.Lang == french {
		if fr, ok := inFrench[sentence]; ok {
			sentence = fr
		}
	}
	if len(args) == 0 {
		return sentence
	}
	said := fmt.Sprintf(sentence, args...)
	for _, arg := range args {
		// A name that ends with a stop ("Co., Ltd.") lends it to the sentence.
		if name, ok := arg.(string); ok && strings.HasSuffix(name, ".") {
			said = strings.ReplaceAll(said, name+".", name)
		}
	}
	return said
}

// Quote puts a device's own words in quotation marks.
func (t tongue) Quote(text string) string {
	if t.Lang == french {
		return "«\u00a0" + text + "\u00a0»"
	}
	return "“" + text + "”"
}

// Colon is a colon as the language sets it.
func (t tongue) Colon() string { return inventory.Colon(t.Lang) }

// Percent gives a share, with one figure after the point below ten.
func (t tongue) Percent(part, whole int) string {
	if whole == 0 {
		return ""
	}
	share := 100 * float64(part) / float64(whole)
	text := fmt.Sprintf("%.0f", share)
	if share > 0 && share < 10 {
		text = fmt.Sprintf("%.1f", share)
	}
	if t.Lang == french {
		return strings.Replace(text, ".", ",", 1) + "\u00a0%"
	}
	return text + "%"
}

// Number groups thousands.
func (t tongue) Number(n int) string {
	text := fmt.Sprint(n)
	separator := ","
	if t.Lang == french {
		separator = "\u00a0"
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + separator + text[i:]
	}
	return text
}

// Date and Time are read by people; the time element carries the exact one.
func (t tongue) Date(at time.Time) string { return at.Format(time.DateOnly) }

// Time gives date, hour and minute in UTC; the page's script turns it into
// the reader's zone.
func (t tongue) Time(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") + " UTC" }

// Stamp is the machine's form of a time.
func (t tongue) Stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// Number64 groups the thousands of a large number.
func (t tongue) Number64(n int64) string { return t.Number(int(n)) }

// ClockOf is Clock for a time that may be missing.
func (t tongue) ClockOf(at *time.Time) *Clock {
	if at == nil {
		return nil
	}
	return t.Clock(*at)
}

// Phrase says one of the agent's own sentences.
func (t tongue) Phrase(sentence string) string { return inventory.Phrase(t.Lang, sentence) }

// Field names one of the fields that a census cannot see.
func (t tongue) Field(name string) string { return inventory.Word(t.Lang, name) }

// Contradiction says one of a device's contradictions.
func (t tongue) Contradiction(text string) string { return fingerprint.Contradiction(text, t.Lang) }

// TitleOf is a policy's title.
func (t tongue) TitleOf(p Policy) string { return p.Titles.In(t.Lang) }

// StateWord names a state for a template.
func (t tongue) StateWord(state string) string { return t.stateWord(inventory.State(state)) }
