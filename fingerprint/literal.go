package fingerprint

import (
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// pattern is one compiled expression with the literals without which it
// cannot match, so that most values never reach the expression.
type pattern struct {
	shape    shape
	texts    []string // lower case, one of which will do, for the shapes that need no expression
	captures int
	required []string // lower case; every match holds at least one; nil: none known

	// A site meets few of the makers there are: an expression is compiled when
	// a value first reaches it.
	source  string
	compile sync.Once
	re      *regexp.Regexp
}

// expression is the pattern as package regexp runs it.
func (p *pattern) expression() *regexp.Regexp {
	p.compile.Do(func() { p.re = regexp.MustCompile(p.source) }) // it was parsed when the rule was read
	return p.re
}

// shape is how a pattern is verified.
type shape uint8

const (
	expression shape = iota
	exact            // ^text$ or ^(?:text|other)$
	prefix           // ^text
	suffix           // text$
	contains         // text
	anything         // . or .+ : any text that is not empty
	whole            // ^(.+)$ or (.+): any text, captured
	named            // a name at the head, see namePattern
)

func compilePattern(text string) (*pattern, error) {
	p := &pattern{source: "(?i)" + text}
	tree, err := syntax.Parse(p.source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	p.captures = tree.MaxCap()
	tree = tree.Simplify()
	p.shape, p.texts = shapeOf(tree, text)
	p.required = p.texts
	if p.shape == expression {
		p.required = required(tree)
	}
	return p, nil
}

// namePattern is the pattern of a text that begins with a name, whole and
// however its words are joined.
func namePattern(name string) *pattern {
	return &pattern{shape: named, texts: []string{strings.ToLower(name)}}
}

// maxHead bounds the head under which a name is found.
const maxHead = 16

// headOf writes the letters and digits at the head of a text into buf, in
// lower case.
func headOf(text string, buf *[maxHead]byte) []byte {
	n := 0
	for n < len(text) && n < maxHead && isWord(lowerByte[text[n]]) {
		buf[n] = lowerByte[text[n]]
		n++
	}
	return buf[:n]
}

// bearsName tells whether value begins with a name in lower case.
func bearsName(value, name string) bool {
	at := 0
	for i := range len(name) {
		switch {
		case joins(name[i]):
			if at < len(value) && joins(value[at]) {
				at++
			}
		case at >= len(value) || lowerByte[value[at]] != name[i]:
			return false
		default:
			at++
		}
	}
	return at == len(value) || !isWord(lowerByte[value[at]])
}

func isWord(lower byte) bool { return lower >= 'a' && lower <= 'z' || lower >= '0' && lower <= '9' }

func joins(b byte) bool { return b == ' ' || b == '-' || b == '_' }

// shapeOf recognises the patterns that need no expression engine: those of a
// few texts, at the head, at the end, both or anywhere.
func shapeOf(tree *syntax.Regexp, text string) (shape, []string) {
	switch text {
	case ".", ".+", "^.":
		return anything, nil
	case "^(.+)$", "(.+)":
		return whole, nil
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	begin := len(parts) > 0 && parts[0].Op == syntax.OpBeginText
	if begin {
		parts = parts[1:]
	}
	end := len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText
	if end {
		parts = parts[:len(parts)-1]
	}
	rest := &syntax.Regexp{Op: syntax.OpConcat, Sub: parts}
	texts := spelled(rest, maxAlternatives)
	if texts == nil || slices.Contains(texts, "") || mindsCase(rest) {
		return expression, nil
	}
	switch {
	case begin && end:
		return exact, texts
	case begin:
		return prefix, texts
	case end:
		return suffix, texts
	}
	return contains, texts
}

// mindsCase tells whether a part of the expression takes a letter in one case
// only: (?-i:...).
func mindsCase(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		literal := string(re.Rune)
		return re.Flags&syntax.FoldCase == 0 && strings.ToLower(literal) != strings.ToUpper(literal)
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= min(re.Rune[i+1], 'z'); r++ {
				if r >= 'A' && !inClass(re, r^('a'-'A')) && isWord(lowerByte[byte(r)]) {
					return true
				}
			}
		}
	}
	return slices.ContainsFunc(re.Sub, mindsCase)
}

func inClass(re *syntax.Regexp, r rune) bool {
	for i := 0; i+1 < len(re.Rune); i += 2 {
		if re.Rune[i] <= r && r <= re.Rune[i+1] {
			return true
		}
	}
	return false
}

// stands tells whether one of the pattern's texts, found in a value of size
// bytes from one place to another, makes it match. Of an expression it makes a
// match possible.
func (p *pattern) stands(from, to, size int) bool {
	switch p.shape {
	case exact:
		return from == 0 && to == size
	case prefix:
		return from == 0
	case suffix:
		return to == size
	}
	return true
}

// match tells whether the pattern holds of a value in which, where the pattern
// is a matter of texts, one of them stands as it must.
func (p *pattern) match(value string) bool {
	switch p.shape {
	case exact, prefix, suffix, contains:
		return true
	case anything, whole:
		return value != ""
	case named:
		return bearsName(value, p.texts[0])
	}
	return p.expression().MatchString(value)
}

// submatches appends what the pattern captures from value.
func (p *pattern) submatches(out []string, value string) []string {
	switch {
	case p.captures == 0:
		return out
	case p.shape == whole:
		return append(out, value)
	}
	at := p.expression().FindStringSubmatchIndex(value)
	for i := 2; i+1 < len(at); i += 2 {
		if at[i] < 0 {
			out = append(out, "")
			continue
		}
		out = append(out, value[at[i]:at[i+1]])
	}
	for i := len(at) / 2; i <= p.captures; i++ {
		out = append(out, "")
	}
	return out
}

var lowerByte = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] = byte(i) + 'a' - 'A'
		}
	}
	return t
}()

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// maxAlternatives bounds the literals that one expression may stand under.
const maxAlternatives = 64

// required returns texts of which every match of the expression holds at
// least one, or nil where none can be told.
func required(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		literal := strings.ToLower(string(re.Rune))
		if !isASCII(literal) {
			return nil
		}
		return []string{literal}
	case syntax.OpCharClass:
		return classLiterals(re)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpAlternate:
		return alternatives(re.Sub)
	case syntax.OpConcat:
		return bestOf(re.Sub)
	}
	return nil
}

// classLiterals spells out a small character class ([IN]).
func classLiterals(re *syntax.Regexp) []string {
	seen := map[string]bool{}
	var out []string
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if r >= utf8.RuneSelf {
				// (?i) adds the Kelvin sign and the long s to k and s.
				if r == 0x212A || r == 0x17F {
					continue
				}
				return nil
			}
			s := string(lowerByte[byte(r)])
			if !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
			if len(out) > 4 {
				return nil
			}
		}
	}
	return out
}

func alternatives(subs []*syntax.Regexp) []string {
	var out []string
	for _, sub := range subs {
		literals := required(sub)
		if literals == nil || len(out)+len(literals) > maxAlternatives {
			return nil
		}
		out = append(out, literals...)
	}
	return out
}

// bestOf chooses, among the parts that must all occur, the one that rules
// most values out, and joins neighbours that are literal.
func bestOf(subs []*syntax.Regexp) []string {
	var best, run []string
	flush := func() {
		if worth(run) > worth(best) {
			best = run
		}
		run = nil
	}
	for _, sub := range subs {
		exactly := spelled(sub, maxSpelled)
		if exactly == nil {
			flush()
			if one := required(sub); worth(one) > worth(best) {
				best = one
			}
			continue
		}
		joined := cross(run, exactly, maxSpelled)
		if joined == nil {
			flush()
			joined = exactly
		}
		run = joined
	}
	flush()
	return best
}

// maxSpelled bounds the texts that a part of an expression is spelled out to.
const maxSpelled = 16

// spelled returns every text the expression can match when they are at most
// as many as told.
func spelled(re *syntax.Regexp, most int) []string {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpLiteral:
		return required(re)
	case syntax.OpCharClass:
		return classLiterals(re)
	case syntax.OpCapture:
		return spelled(re.Sub[0], most)
	case syntax.OpQuest:
		if s := spelled(re.Sub[0], most-1); s != nil {
			return append([]string{""}, s...)
		}
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			s := spelled(sub, most)
			if s == nil || len(out)+len(s) > most {
				return nil
			}
			out = append(out, s...)
		}
		return out
	case syntax.OpConcat:
		var out []string
		for _, sub := range re.Sub {
			if out = cross(out, spelled(sub, most), most); out == nil {
				return nil
			}
		}
		return out
	}
	return nil
}

// cross joins every text of a with every text of b.
func cross(a, b []string, most int) []string {
	if b == nil || len(a)*len(b) > most {
		return nil
	}
	if a == nil {
		return b
	}
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out
}

// worth is how well a set of literals rules values out: its shortest text,
// less a little for being many.
func worth(literals []string) int {
	if len(literals) == 0 {
		return 0
	}
	shortest := math.MaxInt
	for _, l := range literals {
		shortest = min(shortest, max(len(l)-commonHead(l), min(len(l), 1)))
	}
	return shortest*100 - min(len(literals), 99)
}

// commonHead is how much of a literal most answers hold: the head of an
// address rules nothing out.
func commonHead(literal string) int {
	for _, head := range [...]string{"onvif://www.onvif.org/", "http://www.", "https://www.", "http://", "https://"} {
		if strings.HasPrefix(literal, head) {
			return len(head)
		}
	}
	return 0
}
