package source

import (
	"go/types"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// holdsLocks tells the types of maps whose values may hold a spin lock
// (map_check_btf in kernel/bpf/syscall.c).
var holdsLocks = map[abi.MapKind]bool{
	abi.MapHash: true, abi.MapArray: true, abi.MapSkStorage: true,
}

// checkLocks refuses spin locks where the kernel refuses them at load.
func (l *loader) checkLocks(m *Map, v *types.Var) {
	if m.Key != nil && countLocks(m.Key) > 0 {
		l.refuse(v.Pos(), codeSpinLock, "the key of map %s holds a bpf.SpinLock", v.Name())
	}
	if m.Event != nil && countLocks(m.Event) > 0 {
		l.refuse(v.Pos(), codeSpinLock, "the records of %s hold a bpf.SpinLock", v.Name())
	}
	if m.Value == nil {
		return
	}
	switch n := countLocks(m.Value); {
	case n == 0:
	case !holdsLocks[m.Type.Kind]:
		l.refuse(v.Pos(), codeSpinLock, "the value of %s %s holds a bpf.SpinLock", m.Type.GoName, v.Name())
	case n > 1:
		l.refuse(v.Pos(), codeSpinLock, "the value of map %s holds more than one bpf.SpinLock", v.Name())
	case isLock(m.Value) || !isStruct(m.Value):
		l.refuse(v.Pos(), codeSpinLock, "the value of map %s is not a struct with a bpf.SpinLock as a field", v.Name())
	}
}

// countLocks returns how many spin locks a value of type t holds; 2 stands for more,
// too.
func countLocks(t types.Type) int {
	if isLock(t) {
		return 1
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return countLocks(u.Elem()) * int(min(u.Len(), 2))
	case *types.Struct:
		n := 0
		for f := range u.Fields() {
			n = min(n+countLocks(f.Type()), 2)
		}
		return n
	}
	return 0
}

func isLock(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "SpinLock" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == bpfPath
}

func isStruct(t types.Type) bool {
	_, ok := t.Underlying().(*types.Struct)
	return ok
}
