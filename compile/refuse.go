package compile

import (
	"errors"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/codegen"
	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/pass"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// This file turns what the late stages refuse into diagnostics.

// stackDiagnostic gives a stack overflow the position of its function.
func stackDiagnostic(m *ir.Module, err error) error {
	var se *codegen.StackError
	if !errors.As(err, &se) {
		return err
	}
	hint := "keep large values in a bpf.Scratch map"
	if se.Frames > 0 {
		hint = "let some of them be inlined"
	}
	var l diag.List
	l.Add(m.Fset.Position(se.Func.Pos), subset.StackSize, hint, "%s", se.Error())
	return l
}

// passDiagnostic gives what a pass refuses its position.
func passDiagnostic(m *ir.Module, err error) error {
	var pe *pass.PointerChoiceError
	if !errors.As(err, &pe) {
		return packetDiagnostic(m, err)
	}
	var l diag.List
	l.Add(m.Fset.Position(pe.Pos), subset.PointerChoice, subset.Rules.WayOut(subset.PointerChoice), "%s", pe.Error())
	return l
}

// packetDiagnostic gives an access through a stale slice of a packet its position.
// Where it is the library that accesses, that is the call which moved the packet.
func packetDiagnostic(m *ir.Module, err error) error {
	var se *pass.StalePacketError
	if !errors.As(err, &se) {
		return err
	}
	access, call := m.Fset.Position(se.Pos), m.Fset.Position(se.Call)
	hint := subset.Rules.WayOut(subset.StalePacket)
	var l diag.List
	if file, ok := strings.CutPrefix(access.Filename, source.ModulePath+"/"); ok {
		l.Add(call, subset.StalePacket, hint,
			"bpf_%s may move the packet, a slice made before is used after it (in %s:%d)", se.Helper, file, access.Line)
	} else {
		l.Add(access, subset.StalePacket, hint,
			"the slice was made before the call of bpf_%s in line %d, which may move the packet", se.Helper, call.Line)
	}
	return l
}
