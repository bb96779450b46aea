package interp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Names of the helpers that are not like all others.
const (
	lookupName = "map_lookup_elem"
	// releaseName is what pass release calls the helpers that it adds.
	releaseName = "release"
)

// recordSize is the size of what a helper that acquires a reference returns.
const recordSize = 64

// helper calls a BPF helper. Look-ups find a value of the map or nothing. All
// others are told apart by what they read; they answer with noise, write noise
// where they say they write, and change what is shared.
func (m *Machine) helper(fr *frame, v *ir.Value) (uint64, error) {
	h := v.Aux.(*ir.HelperCall)
	args := make([]uint64, len(v.Args))
	for i, a := range v.Args {
		args[i] = fr.vals[a.ID]
	}
	if h.Name == lookupName {
		return m.lookup(args)
	}
	call, err := m.describe(h, v, args)
	if err != nil {
		return 0, err
	}
	if h.Pure {
		return m.answer(call), nil
	}
	if err := m.references(h, v, args); err != nil {
		return 0, err
	}
	if h.Name == releaseName {
		return 0, nil
	}
	m.trace = append(m.trace, call)
	answer := m.answer(fmt.Sprint(len(m.trace), call))
	if err := m.effects(h, args, answer); err != nil {
		return 0, err
	}
	if h.Acquires {
		return m.acquire(h, answer), nil
	}
	return answer, nil
}

// answer is a number that depends on the seed and a text.
func (m *Machine) answer(call string) uint64 {
	return binary.LittleEndian.Uint64(m.noise(call, 8))
}

// lookup finds three of four keys.
func (m *Machine) lookup(args []uint64) (uint64, error) {
	for x, o := range m.maps {
		if o.base != args[0] {
			continue
		}
		key, err := m.read(args[1], int64(x.KeySize))
		if err != nil {
			return 0, err
		}
		if m.answer(fmt.Sprintf("find %s %x", x.Name, key))%4 == 0 {
			return 0, nil
		}
		return m.mapValue(x, key).base, nil
	}
	return 0, errors.New("look-up in no map")
}

// describe writes the call down: numbers, names of objects, bytes read.
func (m *Machine) describe(h *ir.HelperCall, v *ir.Value, args []uint64) (string, error) {
	parts := []string{h.Name}
	for i, a := range v.Args {
		if a.Type != ir.Ptr || args[i] == 0 {
			parts = append(parts, fmt.Sprint(args[i]))
			continue
		}
		o, off, err := m.find(args[i], 0)
		if err != nil {
			return "", err
		}
		n := h.Reads[i]
		if n < 0 {
			n = int64(len(o.bytes)) - off
		}
		bytes, err := m.read(args[i], n)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%s:%x", o.name, bytes))
	}
	return strings.Join(parts, " "), nil
}

// effects writes what the helper writes.
func (m *Machine) effects(h *ir.HelperCall, args []uint64, answer uint64) error {
	for i := range args {
		n := h.Writes[i]
		if n < 0 {
			o, off, err := m.find(args[i], 0)
			if err != nil {
				return err
			}
			n = min(8, int64(len(o.bytes))-off)
		}
		n = max(n, h.Fills[i])
		if n == 0 {
			continue
		}
		if err := m.write(args[i], m.noise(fmt.Sprint(answer, i), int(n))); err != nil {
			return err
		}
	}
	m.stirred = append(m.stirred, answer)
	for g, o := range m.globals {
		if g.Section != ir.Rodata {
			stir(o, answer)
		}
	}
	for _, o := range m.values {
		stir(o, answer)
	}
	if h.InvalidatesPackets {
		m.packet.dead = true
		moved := append([]byte{}, m.packet.bytes...)
		m.packet = m.object("packet", moved, false)
		stir(m.packet, answer)
	}
	return nil
}

// references keeps track of what is held.
func (m *Machine) references(h *ir.HelperCall, v *ir.Value, args []uint64) error {
	given := h.Releases
	if h.Name == releaseName || h.Lock != 0 {
		given = 1
	}
	if h.Lock > 0 {
		m.held[args[0]] = "lock"
		return nil
	}
	if given == 0 {
		return nil
	}
	at := args[given-1]
	if m.held[at] == "" {
		return fmt.Errorf("%#x is not held", at)
	}
	delete(m.held, at)
	return nil
}

// acquire makes a new record three times of four.
func (m *Machine) acquire(h *ir.HelperCall, answer uint64) uint64 {
	if answer%4 == 0 {
		return 0
	}
	o := m.object("record", m.noise("record", recordSize), false)
	m.held[o.base] = h.Name
	return o.base
}

// tailCall leaves the program half of the time.
func (m *Machine) tailCall(index uint64) error {
	call := fmt.Sprint("tail call ", index)
	m.trace = append(m.trace, call)
	if m.answer(fmt.Sprint(len(m.trace), call))%2 == 0 {
		return errDone
	}
	return nil
}
