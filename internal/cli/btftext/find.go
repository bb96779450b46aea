package btftext

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Find returns the type called name, a struct, union or typedef, in an object's
// types.
func Find(spec *btf.Spec, name string) (btf.Type, error) {
	if spec == nil {
		return nil, fmt.Errorf("find type %s: the object has no types", name)
	}
	candidates, err := spec.AnyTypesByName(name)
	if err != nil {
		return nil, fmt.Errorf("find type %s: the object has no such type", name)
	}
	for _, t := range candidates {
		switch btf.UnderlyingType(t).(type) {
		case *btf.Struct, *btf.Union:
			return t, nil
		}
	}
	return candidates[0], nil
}

// Record returns the type of the records of a buffer, which objects of waggle's
// compiler tell, with constants by their Go names; nil if the object doesn't.
func Record(spec *btf.Spec, mapName string) btf.Type {
	if spec == nil {
		return nil
	}
	var t *btf.Typedef
	if err := spec.TypeByName(abi.RecordPrefix+mapName, &t); err != nil {
		return nil
	}
	record := btf.Copy(t)
	goNames(record, make(map[btf.Type]bool))
	return record
}

// goName is how waggle's compiler names types and constants of other packages than the
// object's own, packet.ProtoUDP say, in BTF, whose names are C identifiers. Packages have
// lower case names, what they export begins with a capital.
var goName = regexp.MustCompile(`^([a-z][a-z0-9]*)_(\p{Lu}\w*)$`)

// goNames gives the constants in a type their Go names back.
func goNames(t btf.Type, seen map[btf.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	switch t := t.(type) {
	case *btf.Typedef:
		goNames(t.Type, seen)
	case *btf.Array:
		goNames(t.Type, seen)
	case *btf.Struct:
		for _, m := range t.Members {
			goNames(m.Type, seen)
		}
	case *btf.Enum:
		typ := goName.FindStringSubmatch(t.Name)
		if typ == nil {
			return // of the object's own package
		}
		for i := range t.Values {
			if m := goName.FindStringSubmatch(t.Values[i].Name); m != nil && m[1] == typ[1] {
				t.Values[i].Name = m[1] + "." + m[2]
			}
		}
	}
}

// Guess returns the struct that records of an object most likely are, since
// C objects don't say: the only one whose name tells that it is an event and
// whose size fits a record of n bytes, less at most padding bytes of filling. It
// is nil if there is none or more than one.
func Guess(spec *btf.Spec, n, padding int) btf.Type {
	if spec == nil {
		return nil
	}
	var found []btf.Type
	for t, err := range spec.All() {
		if err != nil {
			return nil
		}
		s, ok := t.(*btf.Struct)
		if !ok || !eventName(s.Name) || int(s.Size) > n || n-int(s.Size) > padding {
			continue
		}
		if !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

// eventName tells whether a struct's name is what people call what they send.
func eventName(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "_t"))
	return slices.ContainsFunc([]string{"event", "evt", "record", "sample", "data"}, func(word string) bool {
		return strings.HasSuffix(name, word) || strings.HasPrefix(name, word+"_")
	})
}
