package object

import (
	"fmt"
	"go/types"

	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// function describes a function for func_info. Programs have global linkage;
// subprograms are static, which makes the kernel verify them at each call and
// take their BTF for information only.
func (c *converter) function(f *ir.Func) *btf.Func {
	if f.Prog != nil {
		return &btf.Func{Name: f.Name, Linkage: btf.GlobalFunc, Type: c.programProto(f)}
	}
	return &btf.Func{Name: f.Name, Linkage: btf.StaticFunc, Type: c.subprogProto(f)}
}

// programProto is (struct <context> *ctx) int, the only shape the kernel knows.
func (c *converter) programProto(f *ir.Func) *btf.FuncProto {
	ctx := btf.FuncParam{Name: "ctx", Type: &btf.Pointer{Target: void}}
	p := &btf.FuncProto{Return: btfS32}
	if f.Sig != nil {
		p.Return = c.result(f.Sig, btfS32)
		if params := c.params(f.Sig); len(params) > 0 {
			ctx = params[0]
		}
	}
	if ctype := f.Prog.Kind.CType; ctype != "" {
		ctx.Type = &btf.Pointer{Target: c.bare(ctype, 0)}
	}
	p.Params = []btf.FuncParam{ctx}
	return p
}

// subprogProto is the signature as written, as far as C can say it.
func (c *converter) subprogProto(f *ir.Func) *btf.FuncProto {
	if f.Sig == nil {
		p := &btf.FuncProto{Return: btfU64}
		for i := range f.Params {
			p.Params = append(p.Params, btf.FuncParam{Name: paramName("", i), Type: btfU64})
		}
		return p
	}
	return &btf.FuncProto{Return: c.result(f.Sig, btfU64), Params: c.params(f.Sig)}
}

// result is the type of a signature's only result if it is a scalar, else
// other: some number in R0. (The kernel wants functions with tail calls to
// return a scalar; what else a function returns it doesn't care about.)
func (c *converter) result(sig *types.Signature, other btf.Type) btf.Type {
	if sig.Results().Len() == 1 {
		if b := c.convert(sig.Results().At(0).Type()); isScalar(b) {
			return b
		}
	}
	return other
}

// params are receiver and parameters. Each must have a name.
func (c *converter) params(sig *types.Signature) []btf.FuncParam {
	var vars []*types.Var
	if sig.Recv() != nil {
		vars = append(vars, sig.Recv())
	}
	for i := range sig.Params().Len() {
		vars = append(vars, sig.Params().At(i))
	}
	params := make([]btf.FuncParam, len(vars))
	for i, v := range vars {
		params[i] = btf.FuncParam{Name: paramName(v.Name(), i), Type: c.convert(v.Type())}
	}
	return params
}

func paramName(name string, i int) string {
	if name == "" || name == "_" {
		return fmt.Sprintf("arg%d", i)
	}
	return cIdent(name)
}
