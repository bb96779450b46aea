// Package faultinfo is the format of an object's section .waggle.faults, which
// says what the counters of the hidden map waggle_faults count: the compiler
// writes it, the runtime reads it.
//
// The section is an ELF string table (SHT_STRTAB): an empty string, the header
// "waggle faults 1", then one string per fault site in the order of the map's
// keys, each "FILE:LINE:COL: KIND":
//
//	\0waggle faults 1\0probe.go:42:9: index out of range\0
//
// Text, because `readelf -p .waggle.faults` then prints it; a string table,
// because loaders that don't know the section pass those over in silence. The
// number in the header is the version of the format; it grows when a reader of
// the old one would misread the new one.
package faultinfo

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Section is the name of the ELF section.
const Section = ".waggle.faults"

// Map is the name of the per-CPU array that counts faults. Its key is a site's
// index, its value a uint64.
const Map = "waggle_faults"

const (
	magic   = "waggle faults "
	version = "1"
	header  = magic + version
)

// Site is one place where a program may leave with a fault.
type Site struct {
	File      string // relative to the kernel package's directory
	Line, Col int    // from 1; 0 if unknown
	Kind      string // "index out of range"
}

// String formats s as "probe.go:42:9: index out of range".
func (s Site) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", s.File, s.Line, s.Col, s.Kind)
}

// Append appends the section's content for sites to buf. A NUL byte in a file
// name or ": " in a kind cannot be written and is an error.
func Append(buf []byte, sites []Site) ([]byte, error) {
	buf = append(buf, 0)
	buf = append(buf, header...)
	buf = append(buf, 0)
	for _, s := range sites {
		if strings.ContainsRune(s.File+s.Kind, 0) || strings.Contains(s.Kind, ": ") {
			return nil, fmt.Errorf("encode fault site: malformed text %q", s)
		}
		if s.Line < 0 || s.Col < 0 {
			return nil, fmt.Errorf("encode fault site: negative position %q", s)
		}
		buf = append(buf, s.String()...)
		buf = append(buf, 0)
	}
	return buf, nil
}

// Read parses the section's content.
func Read(section []byte) ([]Site, error) {
	if len(section) < 2 || section[0] != 0 || section[len(section)-1] != 0 {
		return nil, errors.New("read fault table: not a string table")
	}
	lines := bytes.Split(section[1:len(section)-1], []byte{0})
	if v, ok := strings.CutPrefix(string(lines[0]), magic); !ok {
		return nil, errors.New("read fault table: no header")
	} else if v != version {
		return nil, fmt.Errorf("read fault table: version %q is not known, want %q", v, version)
	}
	sites := make([]Site, 0, len(lines)-1)
	for i, line := range lines[1:] {
		s, err := parseSite(string(line))
		if err != nil {
			return nil, fmt.Errorf("read fault table: site %d: %w", i, err)
		}
		sites = append(sites, s)
	}
	return sites, nil
}

// ReadELF reads the fault table of an object; nil without error if the object
// has none, as objects of other compilers.
func ReadELF(r io.ReaderAt) ([]Site, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("read fault table: %w", err)
	}
	sec := f.Section(Section)
	if sec == nil {
		return nil, nil
	}
	data, err := sec.Data()
	if err != nil {
		return nil, fmt.Errorf("read fault table: %w", err)
	}
	return Read(data)
}

// parseSite reads "FILE:LINE:COL: KIND" from the right, as only a file name may
// contain colons.
func parseSite(s string) (Site, error) {
	pos, kind, ok := cutLast(s, ": ")
	if !ok {
		return Site{}, fmt.Errorf("no kind in %q", s)
	}
	pos, col, ok1 := cutLast(pos, ":")
	file, line, ok2 := cutLast(pos, ":")
	if !ok1 || !ok2 {
		return Site{}, fmt.Errorf("no position in %q", s)
	}
	l, err := parseNumber(line)
	if err != nil {
		return Site{}, err
	}
	c, err := parseNumber(col)
	if err != nil {
		return Site{}, err
	}
	return Site{File: file, Line: l, Col: c, Kind: kind}, nil
}

// parseNumber accepts only what Append writes: no sign, no leading zero.
func parseNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("malformed number %q", s)
	}
	return n, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
