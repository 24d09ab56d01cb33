package agent

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// eachFile parses every Go file of the module that is no test.
func eachFile(t *testing.T, visit func(path string, set *token.FileSet, f *ast.File)) {
	t.Helper()
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != root && e.Name() != "..":
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files++
		visit(filepath.ToSlash(rel), set, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("only %d files seen", files)
	}
}

// mayOpenSockets are the places that open sockets: Wire and its raw sockets,
// the web server and the control socket, the simulated site, and the two
// libraries that open their own (zeroconf, charged beforehand, and SNMP's).
var mayOpenSockets = []string{
	"discovery/", "internal/packet/", "exporter/", "cmd/camcensus/", "internal/lab/", "internal/agent/socket.go",
	"discovery/mdns/", "discovery/snmp/",
}

func TestOnlyWireOpensSocketsTowardsTheNetwork(t *testing.T) {
	forbidden := map[string]map[string]bool{
		"net": {"Dial": true, "DialTimeout": true, "DialTCP": true, "DialUDP": true, "DialIP": true, "DialUnix": true, "Listen": true,
			"ListenPacket": true, "ListenUDP": true, "ListenTCP": true, "ListenMulticastUDP": true, "ListenIP": true, "Dialer": true, "ListenConfig": true},
		"unix":    {"Socket": true, "Connect": true},
		"syscall": {"Socket": true, "Connect": true},
		"http":    {"Get": true, "Post": true, "DefaultClient": true, "Client": true},
		"tls":     {"Dial": true, "DialWithDialer": true},
	}
	eachFile(t, func(path string, set *token.FileSet, f *ast.File) {
		if allowed(path) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && forbidden[pkg.Name][sel.Sel.Name] {
				t.Errorf("%s: %s.%s opens a socket; only discovery.Wire may", set.Position(sel.Pos()), pkg.Name, sel.Sel.Name)
			}
			return true
		})
	})
}

// allowed tells whether the file may open sockets. Of discovery's folders only
// the top one, Wire's, and the two with a library of their own may.
func allowed(path string) bool {
	for _, p := range mayOpenSockets {
		if p == "discovery/" {
			if strings.HasPrefix(path, p) && strings.Count(path, "/") == 1 {
				return true
			}
			continue
		}
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func TestImportsRunOneWay(t *testing.T) {
	const module = "camcensus/"
	never := []struct{ from, to, why string }{
		{"internal/lab/", module + "discovery", "the lab's replies are bytes of its own"},
		{"internal/lab/", module + "fingerprint", "the lab's replies are bytes of its own"},
		{"internal/lab/", module + "internal/packet", "the lab's replies are bytes of its own"},
		{"fingerprint/", module + "internal/", "fingerprint knows no room above it"},
		{"fingerprint/", module + "exporter", "fingerprint knows no room above it"},
		{"discovery/", module + "fingerprint", "discovery knows no maker"},
		{"discovery/", module + "exporter", "discovery knows no room above it"},
		{"discovery/", module + "internal/inventory", "discovery knows no room above it"},
		{"internal/policy/", module + "discovery", "policy sees identities only"},
		{"internal/inventory/", module + "exporter", "the inventory knows no reader"},
		{"internal/inventory/", module + "internal/agent", "the inventory knows no reader"},
		{"exporter/", module + "internal/agent", "the exporter declares what it needs"},
	}
	eachFile(t, func(path string, set *token.FileSet, f *ast.File) {
		for _, imp := range f.Imports {
			to := strings.Trim(imp.Path.Value, `"`)
			for _, n := range never {
				if strings.HasPrefix(path, n.from) && strings.HasPrefix(to, n.to) {
					t.Errorf("%s imports %s: %s", set.Position(imp.Pos()), to, n.why)
				}
			}
			// discovery's own files import no protocol, fingerprint's none at all.
			protocol := strings.HasPrefix(to, module+"discovery/") && to != module+"discovery/facts" && to != module+"discovery/exchange"
			if protocol && strings.HasPrefix(path, "discovery/") && strings.Count(path, "/") == 1 {
				t.Errorf("%s imports the protocol %s", set.Position(imp.Pos()), to)
			}
			if protocol && strings.HasPrefix(path, "fingerprint/") {
				t.Errorf("%s imports the protocol %s", set.Position(imp.Pos()), to)
			}
		}
	})
}
