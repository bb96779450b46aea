package lower

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// inferKinds finds out which slice and string values of a function point into
// the packet. Named packet types say so themselves; a plain []byte is one if
// it was converted from one, cut from one, or passed in or returned as one.
func (f *fn) inferKinds(params []bool) map[ssa.Value]bool {
	packets := map[ssa.Value]bool{}
	f.packets = packets
	for i, p := range f.src.Params {
		if params[i] {
			packets[p] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for _, b := range f.src.Blocks {
			for _, in := range b.Instrs {
				v, ok := in.(ssa.Value)
				if !ok || packets[v] || !isSliceOrString(v.Type()) {
					continue
				}
				if f.isPacketDef(v) {
					packets[v] = true
					changed = true
				}
			}
		}
	}
	return packets
}

func isSliceOrString(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Slice:
		return true
	case *types.Basic:
		return u.Info()&types.IsString != 0
	}
	return false
}

// isPacket reports whether v is a packet slice or string.
func (f *fn) isPacket(v ssa.Value) bool {
	return f.packets[v] || f.m.isPacketType(v.Type())
}

func (f *fn) isPacketDef(v ssa.Value) bool {
	if f.m.isPacketType(v.Type()) {
		return true
	}
	switch v := v.(type) {
	case *ssa.ChangeType:
		return f.isPacket(v.X)
	case *ssa.Convert:
		return f.isPacket(v.X)
	case *ssa.Slice:
		return isSliceOrString(v.X.Type()) && f.isPacket(v.X)
	case *ssa.Phi:
		for _, e := range v.Edges {
			if f.isPacket(e) {
				return true
			}
		}
	case *ssa.Call:
		return f.callKinds(v)[0]
	case *ssa.Extract:
		if call, ok := v.Tuple.(*ssa.Call); ok {
			return f.callKinds(call)[v.Index]
		}
	}
	return false
}

// callKinds returns which results of a call are packet slices, lowering the
// callee if need be.
func (f *fn) callKinds(call *ssa.Call) []bool {
	none := make([]bool, max(1, call.Call.Signature().Results().Len()))
	callee := call.Call.StaticCallee()
	if callee == nil || f.lowering(callee) != nil || !hasPlainSliceResult(callee) {
		return none
	}
	inst := f.m.instance(callee, f.argKinds(&call.Call))
	if inst.results == nil {
		return none
	}
	return inst.results
}

func hasPlainSliceResult(fn *ssa.Function) bool {
	res := fn.Signature.Results()
	for i := range res.Len() {
		if isSliceOrString(res.At(i).Type()) {
			return true
		}
	}
	return false
}

func (f *fn) argKinds(c *ssa.CallCommon) []bool {
	kinds := make([]bool, len(c.Args))
	for i, a := range c.Args {
		kinds[i] = isSliceOrString(a.Type()) && f.isPacket(a)
	}
	return kinds
}
