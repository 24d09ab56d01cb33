package inventory

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// Limits of an asset list.
const (
	maxAssetLines = 200000
	maxAssetBytes = 64 << 20
)

// assetColumns are names that asset lists give their columns, as plainName
// writes them.
var assetColumns = map[string][]string{
	"mac": {"mac", "macs", "mac address", "mac addresses", "mac addr", "adresse mac", "adresses mac", "adresse physique", "physical address",
		"hardware address", "ethernet", "ethernet address", "wired mac", "lan mac"},
	"serial": {"serial", "serial number", "serial no", "serial nr", "s n", "sn", "serialnumber", "numero de serie", "numero serie", "no de serie",
		"no serie", "n de serie", "n serie", "serie"},
	"ip": {"ip", "ips", "ip address", "ip addresses", "ip addr", "ipaddress", "ipv4", "ipv4 address", "ipv6", "ipv6 address", "adresse ip",
		"adresses ip", "adresse ipv4", "address", "adresse", "host ip"},
	"name": {"name", "asset", "asset name", "asset tag", "asset id", "tag", "description", "nom", "designation", "etiquette", "id", "label", "camera",
		"device", "device name", "appareil"},
}

// Columns are those of an asset list, as it names them, by what they were read as.
type Columns struct {
	MAC    []string `json:"mac"`
	Serial []string `json:"serial"`
	IP     []string `json:"ip"`
	Name   []string `json:"name"`
	Unused []string `json:"unused"`
}

// macWords may stand beside "mac" in the name of a column of MACs.
var macWords = strings.Fields("address addresses addr adresse adresses adr wlan wifi wi fi wireless lan wired ethernet eth nic port poe primary secondary main " +
	"first second principale secondaire filaire sans fil physique physical hardware hw interface network net reseau camera device")

// emptyWords, as plainName writes them, fill a cell in which nothing is known, as
// do signs alone.
var emptyWords = []string{"", "n a", "na", "n d", "nd", "none", "null", "nil", "unknown", "inconnu", "inconnue", "aucun", "aucune", "s o", "sans objet"}

// roundedNumber is what a spreadsheet makes of a long number.
var roundedNumber = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[eE]\+[0-9]{2,3}$`)

// readAssets reads a list as spreadsheets and other programs write it: with
// comma, semicolon or tab, in UTF-8, UTF-16 or Windows-1252. The first line
// that is not empty names the columns.
func readAssets(r io.Reader) ([]Asset, Columns, error) {
	var named Columns
	raw, err := io.ReadAll(io.LimitReader(r, maxAssetBytes+1))
	if err != nil {
		return nil, named, err
	}
	if len(raw) > maxAssetBytes {
		return nil, named, fmt.Errorf("the list is larger than %d MB", maxAssetBytes>>20)
	}
	text, err := decoded(raw)
	if err != nil {
		return nil, named, err
	}
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // as old Macs end lines
	}
	comma, skipped := separator(&text)
	in := csv.NewReader(strings.NewReader(text))
	in.Comma, in.FieldsPerRecord = comma, -1
	var columns map[string][]int
	var width int
	var list []Asset
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, named, explainedCSV(err, skipped)
		}
		line, _ := in.FieldPos(0)
		line += skipped
		switch {
		case line > maxAssetLines:
			return nil, named, fmt.Errorf("line %d: the list is too long (at most %d lines)", line, maxAssetLines)
		case !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" }):
			// an empty line
		case columns == nil:
			columns, named = columnsOf(row)
			if width = len(row); columns == nil {
				return nil, named, fmt.Errorf("line %d: no column for MAC, serial or IP in %q: the first line must name the columns, one of them mac, serial or ip",
					line, clip(strings.Join(row, ", "), 200))
			}
		default:
			list = append(list, readAsset(row, columns, width, line))
		}
	}
	if columns == nil {
		return nil, named, errors.New("the list is empty: its first line must name the columns, one of them mac, serial or ip")
	}
	return list, named, nil
}

// decoded turns the bytes of a list into text.
func decoded(raw []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")):
		return "", errors.New("this is a workbook, not a CSV file: save it as CSV first")
	case bytes.HasPrefix(raw, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	}
	switch {
	case order != nil:
		units := make([]uint16, 0, len(raw)/2)
		for n := 2; n+1 < len(raw); n += 2 {
			units = append(units, order.Uint16(raw[n:]))
		}
		return string(utf16.Decode(units)), nil
	case bytes.IndexByte(raw, 0) >= 0:
		return "", errors.New("the list holds NUL bytes: save it as CSV in UTF-8")
	case utf8.Valid(raw):
		return strings.TrimPrefix(string(raw), "\ufeff"), nil
	}
	return charmap.Windows1252.NewDecoder().String(string(raw))
}

// separator is the one that a line "sep=" names, which it takes off the text,
// else the one that the first line has most of.
func separator(text *string) (comma rune, skipped int) {
	first, rest, _ := strings.Cut(*text, "\n")
	if named := strings.TrimRight(first, "\r"); strings.HasPrefix(strings.ToLower(named), "sep=") && len(named) == 5 {
		*text = rest
		return rune(named[4]), 1
	}
	first, _, _ = strings.Cut(strings.TrimLeft(*text, "\r\n"), "\n")
	comma = ','
	for _, c := range []rune{';', '\t'} {
		if strings.Count(first, string(c)) > strings.Count(first, string(comma)) {
			comma = c
		}
	}
	return comma, 0
}

// explainedCSV says what is wrong with a line, and what to do about it.
func explainedCSV(err error, skipped int) error {
	var at *csv.ParseError
	if !errors.As(err, &at) {
		return err
	}
	switch {
	case errors.Is(err, csv.ErrQuote):
		return fmt.Errorf("line %d: a cell that begins with a quotation mark does not end with one: close it, or double the quotation marks within it", at.StartLine+skipped)
	case errors.Is(err, csv.ErrBareQuote):
		return fmt.Errorf("line %d: a quotation mark within a cell: put the whole cell in quotation marks and double those within it", at.Line+skipped)
	}
	return fmt.Errorf("line %d: %w", at.Line+skipped, at.Err)
}

// columnsOf finds the columns by their names; nil when none identifies a
// device.
func columnsOf(head []string) (map[string][]int, Columns) {
	columns := map[string][]int{}
	named := Columns{MAC: []string{}, Serial: []string{}, IP: []string{}, Name: []string{}, Unused: []string{}}
	list := map[string]*[]string{"mac": &named.MAC, "serial": &named.Serial, "ip": &named.IP, "name": &named.Name, "": &named.Unused}
	for n, name := range head {
		column := columnOf(plainName(name))
		if columns[column] = append(columns[column], n); column != "" || plainName(name) != "" {
			*list[column] = append(*list[column], clip(oneLine(name), 64))
		}
	}
	if len(columns["mac"])+len(columns["serial"])+len(columns["ip"]) == 0 {
		return nil, named
	}
	return columns, named
}

// columnOf is what the column of a name holds, "" for nothing that is looked for.
// Of MACs and addresses there may be several: numbered, or named by an interface.
func columnOf(name string) string {
	for column, names := range assetColumns {
		if slices.Contains(names, name) {
			return column
		}
	}
	var words []string
	for _, w := range strings.Fields(name) {
		if w != "ipv4" && w != "ipv6" {
			w = strings.TrimRight(w, "0123456789")
		}
		if w != "" {
			words = append(words, w)
		}
	}
	others := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "mac" || w == "macs" })
	switch bare := strings.Join(words, " "); {
	case slices.Contains(assetColumns["ip"], bare):
		return "ip"
	case slices.Contains(assetColumns["mac"], bare),
		len(others) < len(words) && !slices.ContainsFunc(others, func(w string) bool { return !slices.Contains(macWords, w) }):
		return "mac"
	}
	return ""
}

// plainName writes a column's name without accents, case and signs.
func plainName(name string) string {
	words := strings.FieldsFunc(norm.NFD.String(strings.ToLower(name)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)
	})
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, strings.Join(words, " "))
}

func readAsset(row []string, columns map[string][]int, width, line int) Asset {
	cells := func(name string) []string {
		var texts []string
		for _, n := range columns[name] {
			if n < len(row) {
				if text := strings.TrimPrefix(oneLine(row[n]), "'"); text != "" && (name == "name" || !slices.Contains(emptyWords, plainName(text))) {
					texts = append(texts, clip(text, 256))
				}
			}
		}
		return texts
	}
	a := Asset{Line: line, Name: joined(cells("name")), IP: joined(cells("ip")), macs: cells("mac")}
	a.MAC = joined(a.macs)
	serials := cells("serial")
	if len(serials) > 0 {
		a.Serial = serials[0]
	}
	switch {
	case len(row) > width:
		a.Note = fmt.Sprintf("%d cells under %d columns: a cell that holds the separator must stand in quotation marks", len(row), width)
	case slices.ContainsFunc(serials, func(s string) bool { return normalSerial(s) != normalSerial(a.Serial) }):
		a.Note = "several serials: only the first is looked for"
	case a.MAC == "" && a.Serial == "" && a.IP == "":
		a.Note = "no MAC, serial or IP to match it by"
	}
	return a
}

func joined(cells []string) string { return clip(strings.Join(cells, " "), 256) }

// oneLine is a cell's text on one line, printable.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
