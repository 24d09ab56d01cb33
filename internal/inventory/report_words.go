package inventory

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed report.json
var reportWords []byte

// colons stand before what follows: French puts a space there.
var colons = map[string]string{"en": ":", "fr": "\u00a0:"}

// Colon is a colon as a language, en or fr, sets it behind a word.
func Colon(lang string) string { return colons[lang] }

// percent writes a share as the language does.
func (v *reportView) percent(share string) string {
	if v.Lang == "fr" {
		share = strings.Replace(share, ".", ",", 1)
	}
	return share + "\u00a0%"
}

// phrase says one of the agent's own sentences in the report's language; one
// that is not known stands as it is. {x} stands for anything in it.
func (v *reportView) phrase(sentence string) string { return Phrase(v.Lang, sentence) }

// Phrase says one of the agent's own sentences in a language, en or fr, or
// several that stand behind each other; one that is not known stands as it is.
func Phrase(lang, sentence string) string {
	if w := wordsOnce()[sentence]; w != nil {
		return w[lang]
	}
	if lang == "en" {
		return sentence
	}
	for _, p := range patternsOnce() {
		if m := p.english.FindStringSubmatch(sentence); m != nil {
			said := p.said[lang]
			for _, x := range m[1:] {
				said = strings.Replace(said, "{x}", Phrase(lang, x), 1)
			}
			return said
		}
	}
	for _, between := range []string{"\n", "; "} {
		if parts := strings.Split(sentence, between); len(parts) > 1 {
			for n := range parts {
				parts[n] = Phrase(lang, parts[n])
			}
			return strings.Join(parts, between)
		}
	}
	return sentence
}

type pattern struct {
	english *regexp.Regexp
	said    map[string]string
}

// patternsOnce are the sentences with places to fill, the longest first.
var patternsOnce = sync.OnceValue(func() []pattern {
	var keys []string
	for key := range wordsOnce() {
		if strings.Contains(key, "{x}") {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var out []pattern
	for _, key := range keys {
		english := "^" + strings.ReplaceAll(regexp.QuoteMeta(key), `\{x\}`, "(.+?)") + "$"
		out = append(out, pattern{regexp.MustCompile(english), wordsOnce()[key]})
	}
	return out
})

// Told says in a language, en or fr, what an event changed from and to.
func Told(lang string, e *Event) (from, to string) {
	v := reportView{Lang: lang, words: wordsOnce()}
	return v.side(e.Event, e.From), v.side(e.Event, e.To)
}

// wordsOnce are the words of the report.
var wordsOnce = sync.OnceValue(func() map[string]map[string]string {
	var words map[string]map[string]string
	if err := json.Unmarshal(reportWords, &words); err != nil {
		panic("inventory: report.json: " + err.Error()) // it is part of the program
	}
	return words
})

// Word says one of the report's words in a language, en or fr.
func Word(lang, name string) string {
	v := reportView{Lang: lang, words: wordsOnce()}
	return v.word(name)
}

// EventWord says in a language, en or fr, what happened in an event of that name.
func EventWord(lang, name string) string {
	if w := wordsOnce()["event."+name][lang]; w != "" { // a word that is a heading elsewhere
		return w
	}
	return Word(lang, name)
}

// word returns a word in the report's language; a word it lacks stands as it
// is.
func (v *reportView) word(name any) string {
	key := fmt.Sprint(name)
	if w := v.words[key][v.Lang]; w != "" {
		return w
	}
	return key
}

func (v *reportView) day(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format(time.DateOnly)
}

// span is a period from and to (excluded), by UTC: in days where it is of whole
// days. One since the beginning has a zero from.
func (v *reportView) span(from, to time.Time) string {
	until := moment(to)
	if midnight(to) {
		until = v.day(to.Add(-time.Nanosecond))
	}
	switch {
	case v.Whole && v.Diff.Blank():
		return v.word("until") + " " + until
	case v.Whole && v.Diff.SetAside == nil:
		return moment(v.Diff.Began) + " " + v.word("to") + " " + until + " (" + v.word("whole") + ")"
	case v.Whole:
		from = v.Diff.Began
	case midnight(from):
		return v.day(from) + " " + v.word("to") + " " + until
	}
	return moment(from) + " " + v.word("to") + " " + until
}

// midnight tells that a day begins, by UTC.
func midnight(t time.Time) bool { return t.Equal(t.Truncate(day)) }

func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}
