package fingerprint

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fieldNames are the fields that a rule may name, a line a kind; docs/fields.md
// tells what each is. A name that ends with NAME or KEY stands for any that
// begins so.
//
//go:embed fields.txt
var fieldNames string

var knownFields = readFieldNames(fieldNames)

func readFieldNames(text string) map[string][]string {
	known := map[string][]string{}
	for line := range strings.Lines(text) {
		kind, names, _ := strings.Cut(line, ":")
		known[kind] = strings.Fields(names)
	}
	known["https"] = known["http"]
	for _, kind := range []string{"arp", "ndp", "neighbor", "snmp", "reolink", "vstarcam"} { // the hardware address alone
		known[kind] = []string{"mac"}
	}
	return known
}

// unknownField tells what is wrong with a field's name, "" when nothing is.
func unknownField(field string) string {
	kind, name, _ := strings.Cut(field, ".")
	known := knownFields[kind]
	switch {
	case !fieldName.MatchString(field):
		return "is not KIND.NAME"
	case known == nil:
		return fmt.Sprintf("is of no known kind (%s)", strings.Join(slices.Sorted(maps.Keys(knownFields)), ", "))
	case name == "mac" || slices.Contains(known, name) || slices.ContainsFunc(known, func(k string) bool { return opens(k, name) }):
		return ""
	}
	return "is read off no answer (docs/fields.md lists what is)"
}

// opens tells whether a family of names, such as header.NAME, holds a name.
func opens(family, name string) bool {
	for _, open := range []string{"NAME", "KEY"} {
		if head, ok := strings.CutSuffix(family, open); ok && len(name) > len(head) && strings.HasPrefix(name, head) {
			return true
		}
	}
	return false
}
