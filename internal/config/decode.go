package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Error is one mistake and where it stands.
type Error struct {
	Line, Column int
	Msg          string
}

func (e Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Msg) }

// Errors are all mistakes of one file.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// located puts the file's name before each mistake.
func located(name string, err error) error {
	var many Errors
	if !errors.As(err, &many) {
		return fmt.Errorf("config: %s: %w", name, err)
	}
	lines := make([]string, len(many))
	for i, one := range many {
		lines[i] = fmt.Sprintf("%s:%s", name, one.Error())
	}
	return errors.New(strings.Join(lines, "\n"))
}

func at(n *yaml.Node, format string, args ...any) Error {
	if n == nil {
		return Error{Line: 1, Column: 1, Msg: fmt.Sprintf(format, args...)}
	}
	return Error{Line: n.Line, Column: n.Column, Msg: fmt.Sprintf(format, args...)}
}

// Decode fills the struct that into points to from a YAML node. Unlike
// yaml.Node.Decode it refuses unknown and repeated keys, and says line and
// column of every mistake, all of them at once. What the node does not name
// keeps its value.
func Decode(n *yaml.Node, into any) error {
	d := decoder{}
	d.value(n, reflect.ValueOf(into).Elem(), "")
	if len(d.errs) == 0 {
		return nil
	}
	return d.errs
}

type decoder struct{ errs Errors }

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, at(n, format, args...))
}

var (
	nodeType = reflect.TypeFor[yaml.Node]()
	yamlType = reflect.TypeFor[yaml.Unmarshaler]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()

	durationType = reflect.TypeFor[time.Duration]()
)

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	switch n.Kind {
	case yaml.DocumentNode:
		d.value(n.Content[0], v, path)
		return
	case yaml.AliasNode:
		d.value(n.Alias, v, path)
		return
	}
	switch {
	case v.Type() == nodeType:
		v.Set(reflect.ValueOf(*n))
	case v.Addr().Type().Implements(yamlType), v.Addr().Type().Implements(textType):
		d.leaf(n, v, path)
	case v.Type() == durationType:
		d.duration(n, v, path)
	case isNull(n) && v.Kind() != reflect.String:
		// "key:" without a value keeps the default.
	case v.Kind() == reflect.Struct:
		d.mapping(n, v, path)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, path)
	case v.Kind() == reflect.Map:
		d.dictionary(n, v, path)
	default:
		d.leaf(n, v, path)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (d *decoder) leaf(n *yaml.Node, v reflect.Value, path string) {
	err := n.Decode(v.Addr().Interface())
	if err == nil {
		return
	}
	var nested Errors
	if errors.As(err, &nested) {
		d.errs = append(d.errs, nested...)
		return
	}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		d.fail(n, "%s: %s is not %s", path, shown(n), kindName(v))
		return
	}
	d.fail(n, "%s: %v", path, err)
}

func shown(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}

func kindName(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text"
	}
	return "a " + v.Type().Name()
}

// duration reads a plain time.Duration in the same words as a Duration.
func (d *decoder) duration(n *yaml.Node, v reflect.Value, path string) {
	var read Duration
	if err := n.Decode(&read); err != nil {
		d.fail(n, "%s: %v", path, err)
		return
	}
	v.SetInt(int64(read))
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a mapping, not %s", orRoot(path), shown(n))
		return
	}
	fields := fieldsOf(v)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		name := key.Value
		f, ok := fields[name]
		switch {
		case seen[name]:
			d.fail(key, "%s stands twice", join(path, name))
		case !ok:
			d.fail(key, "unknown key %s (known here: %s)", join(path, name), known(fields))
		default:
			d.value(val, f, join(path, name))
		}
		seen[name] = true
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, "%s must be a list, not %s", path, shown(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a mapping, not %s", path, shown(n))
		return
	}
	out := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if out.MapIndex(reflect.ValueOf(key.Value)).IsValid() {
			d.fail(key, "%s stands twice", join(path, key.Value))
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(val, item, join(path, key.Value))
		out.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
	v.Set(out)
}

// fieldsOf maps YAML keys to the fields of a struct, embedded ones inlined.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	out := map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Anonymous:
			for k, e := range fieldsOf(v.Field(i)) {
				out[k] = e
			}
		case name == "-":
		case name != "":
			out[name] = v.Field(i)
		default:
			out[strings.ToLower(f.Name)] = v.Field(i)
		}
	}
	return out
}

func known(fields map[string]reflect.Value) string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func orRoot(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// find returns the node at a dotted path, or the deepest one on the way.
func find(n *yaml.Node, path string) *yaml.Node {
	if n.Kind == yaml.DocumentNode {
		return find(n.Content[0], path)
	}
	head, rest, more := strings.Cut(path, ".")
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if n.Content[i].Value != head {
			continue
		}
		if more {
			return find(n.Content[i+1], rest)
		}
		return n.Content[i+1]
	}
	return n
}
