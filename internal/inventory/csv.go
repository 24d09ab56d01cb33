package inventory

import "strings"

// Cell makes a text safe to open in a spreadsheet: what would be read as a
// formula gets an apostrophe before it.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) {
		return "'" + s
	}
	return s
}
