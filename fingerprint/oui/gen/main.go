// Command gen writes the compact registry that package oui embeds, from the
// tarball of npm's oui-data (or any file that package oui imports).
package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"camcensus/fingerprint/oui"
)

func main() {
	version := flag.String("version", "", "where the registry is from: oui-data 2.1.9")
	date := flag.String("date", "", "the day upstream built it, YYYY-MM-DD")
	out := flag.String("out", "registry.bin", "the file to write")
	flag.Parse()
	if err := run(flag.Arg(0), *version, *date, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, version, date, out string) error {
	if from == "" || version == "" || date == "" {
		return errors.New("usage: gen -version NAME -date YYYY-MM-DD [-out FILE] TARBALL|FILE")
	}
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	var content io.Reader = file
	if strings.HasSuffix(from, ".tgz") {
		if content, err = inTarball(file, "index.json"); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	blocks, err := oui.ReadBlocks(content)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	registry, err := oui.Build(blocks, version, date)
	if err != nil {
		return err
	}
	target, err := os.Create(out)
	if err != nil {
		return err
	}
	if _, err := registry.WriteTo(target); err != nil {
		return errors.Join(err, target.Close())
	}
	fmt.Printf("%s: %d blocks, %d registrants\n", out, registry.Len(), len(registry.Registrants()))
	return target.Close()
}

func inTarball(from io.Reader, name string) (io.Reader, error) {
	plain, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", name, err)
		}
		if path.Base(header.Name) == name {
			return files, nil
		}
	}
}
