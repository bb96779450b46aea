package source

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path"
	"strings"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// readProgram turns the directives of a function into a Program; nil if they
// are wrong, which has then been reported.
func (l *loader) readProgram(decl *ast.FuncDecl, fn *types.Func) *Program {
	list := directives(decl.Doc)
	p := &Program{}
	for _, d := range list {
		kind := abi.ProgramKindByName(d.word)
		if kind == nil {
			continue
		}
		if p.Kind != nil {
			l.refuse(d.pos, codeTwoPrograms, "a second program directive on %s", fn.Name())
			return nil
		}
		p.Kind, p.Target, p.Pos = kind, d.args, d.pos
	}
	if p.Kind == nil {
		return nil // unknown, and reported
	}
	n := len(l.diags)
	l.checkTarget(p)
	l.checkSignature(decl, fn, p.Kind)
	l.readSlots(p, list, decl, fn)
	p.Verdict = p.Kind.Fault
	if d, ok := find(list, "fault"); ok && len(l.diags) == n {
		p.Verdict = l.readVerdict(d, decl, fn)
	}
	if len(l.diags) > n {
		return nil
	}
	return p
}

func (l *loader) checkTarget(p *Program) {
	switch {
	case p.Kind.Target == abi.TargetNone && p.Target != "":
		l.errorf(p.Pos, codeTarget, "remove "+quoted(p.Target), "//bpf:%s takes no target", p.Kind.Name)
	case p.Kind.Target == abi.TargetRequired && p.Target == "":
		l.errorf(p.Pos, codeTarget, "write //bpf:"+p.Kind.Name+" "+exampleTarget(p.Kind), "//bpf:%s needs a target", p.Kind.Name)
	case strings.ContainsAny(p.Target, " \t"):
		l.errorf(p.Pos, codeTarget, "put comments on a line of their own", "the target %s of //bpf:%s has a space in it", quoted(p.Target), p.Kind.Name)
	}
}

func quoted(s string) string { return "\"" + s + "\"" }

func exampleTarget(k *abi.ProgramKind) string {
	if k.Name == "tracepoint" {
		return "sock/inet_sock_set_state"
	}
	return "sched_switch"
}

func (l *loader) checkSignature(decl *ast.FuncDecl, fn *types.Func, kind *abi.ProgramKind) {
	sig := fn.Signature()
	switch {
	case sig.Recv() != nil:
		l.refuse(decl.Name.Pos(), codeProgramShape, "program %s is a method", fn.Name())
	case sig.TypeParams().Len() > 0:
		l.refuse(decl.Name.Pos(), codeProgramShape, "program %s is generic", fn.Name())
	case decl.Body == nil:
		l.refuse(decl.Name.Pos(), codeProgramShape, "program %s has no body", fn.Name())
	}
	if sig.Params().Len() != 1 || !isContext(sig.Params().At(0).Type(), kind) {
		l.refuseContext(decl.Name, kind)
	}
	if sig.Results().Len() != 1 || !isInteger(sig.Results().At(0).Type()) {
		l.refuse(decl.Name.Pos(), codeResult, "a //bpf:%s program returns one integer, its verdict", kind.Name)
		return
	}
	want := verdicts[kind.Context]
	if got := libraryName(sig.Results().At(0).Type()); want != "" && got != "" && got != want {
		l.errorf(decl.Name.Pos(), codeResult, "return "+want, "a //bpf:%s program returns %s, another hook's verdict", kind.Name, got)
	}
}

// verdicts has the types of what programs return, by their contexts. Any integer
// that is not of the library does, too.
var verdicts = map[string]string{
	"xdp.Context":            "xdp.Action",
	"tc.Context":             "tc.Action",
	"sk.SkbContext":          "sk.Verdict",
	"sk.MsgContext":          "sk.Verdict",
	"sk.LookupContext":       "sk.Verdict",
	"sk.OpsContext":          "sk.Reply",
	"sk.FilterContext":       "sk.Keep",
	"cgroup.SkbContext":      "cgroup.Verdict",
	"cgroup.SockContext":     "cgroup.Verdict",
	"cgroup.SockAddrContext": "cgroup.Verdict",
}

// libraryName returns the name of a type of the library, "xdp.Action"; "" if t is
// another type.
func libraryName(t types.Type) string {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return ""
	}
	pkg, ok := strings.CutPrefix(named.Obj().Pkg().Path()+"/", bpfPath+"/")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(pkg, "/", ".") + named.Obj().Name()
}

func (l *loader) refuseContext(name *ast.Ident, kind *abi.ProgramKind) {
	if kind.Context == "" {
		l.errorf(name.Pos(), codeContext, "declare a struct laid out like the hook's data", "a //bpf:%s program takes one parameter, a pointer to a struct", kind.Name)
		return
	}
	l.errorf(name.Pos(), codeContext, "declare it as func "+name.Name+"(ctx *"+kind.Context+")",
		"a //bpf:%s program takes one parameter of type *%s", kind.Name, kind.Context)
}

func isContext(t types.Type, kind *abi.ProgramKind) bool {
	ptr, ok := types.Unalias(t).(*types.Pointer)
	if !ok {
		return false
	}
	if kind.Context == "" {
		_, ok := ptr.Elem().Underlying().(*types.Struct)
		return ok
	}
	named, ok := types.Unalias(ptr.Elem()).(*types.Named)
	if !ok {
		return false
	}
	pkg, name := path.Split(strings.ReplaceAll(kind.Context, ".", "/"))
	obj := named.Obj()
	return obj.Name() == name && obj.Pkg() != nil && obj.Pkg().Path() == bpfPath+"/"+strings.TrimSuffix(pkg, "/")
}

func isInteger(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

// readVerdict evaluates //bpf:fault in the scope of the function's file.
func (l *loader) readVerdict(d directive, decl *ast.FuncDecl, fn *types.Func) int64 {
	if d.args == "" {
		l.refuse(d.pos, codeVerdict, "//bpf:fault names no verdict")
		return 0
	}
	tv, err := types.Eval(l.fset, l.main.types, l.fileScopePos(decl), d.args)
	if err != nil || tv.Value == nil {
		l.refuse(d.pos, codeVerdict, "the fault verdict %s is not a constant", d.args)
		return 0
	}
	n, exact := constant.Int64Val(constant.ToInt(tv.Value))
	basic := fn.Signature().Results().At(0).Type().Underlying().(*types.Basic)
	if !exact || !fitsVerdict(n, l.sizes.Sizeof(basic), basic.Info()&types.IsUnsigned != 0) {
		l.refuse(d.pos, codeVerdict, "the fault verdict %s does not fit in %s", d.args, fn.Signature().Results().At(0).Type())
		return 0
	}
	return n
}

// fileScopePos is a position where the names of the package and of the file's
// imports are in scope, and those of no function.
func (l *loader) fileScopePos(decl *ast.FuncDecl) token.Pos { return decl.Pos() }

// fitsVerdict reports whether n is a value of the integer type. The kernel reads
// a verdict as an int, so -1 is one of every type.
func fitsVerdict(n, size int64, unsigned bool) bool {
	if n == -1 {
		return true
	}
	bits := uint(8 * size)
	if unsigned {
		return n >= 0 && (bits >= 63 || n < 1<<bits)
	}
	return bits >= 64 || -1<<(bits-1) <= n && n < 1<<(bits-1)
}
