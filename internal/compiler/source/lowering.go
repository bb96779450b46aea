package source

import (
	"fmt"
	"go/types"
	"strconv"
	"strings"
)

// parseLowering reads the helper or intrinsic directive of a library function.
func parseLowering(d directive, fn *types.Func) (*Lowering, error) {
	if d.word == "intrinsic" {
		words := strings.Fields(d.args)
		if len(words) == 0 {
			return nil, fmt.Errorf("//bpf:intrinsic on %s names none", fn.Name())
		}
		return &Lowering{Intrinsic: words[0], Words: words[1:]}, nil
	}
	name, list, ok := strings.Cut(d.args, "(")
	list, notNil := strings.CutSuffix(list, "!")
	list, closed := strings.CutSuffix(list, ")")
	if !ok || !closed || name == "" || strings.ContainsAny(name, " \t") {
		return nil, fmt.Errorf("//bpf:helper on %s is not of the form NAME(ARG, ...)", fn.Name())
	}
	low := &Lowering{Helper: name, NotNil: notNil}
	if strings.TrimSpace(list) == "" {
		return low, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		arg, err := parseArg(strings.TrimSpace(text), fn.Signature())
		if err != nil {
			return nil, fmt.Errorf("//bpf:helper %s on %s: %w", name, fn.Name(), err)
		}
		low.Args = append(low.Args, arg)
	}
	if len(low.Args) > maxHelperArgs {
		return nil, fmt.Errorf("//bpf:helper %s on %s: more than %d arguments", name, fn.Name(), maxHelperArgs)
	}
	return low, nil
}

// maxHelperArgs is the number of argument registers, R1 to R5.
const maxHelperArgs = 5

// parseArg reads one argument; ARCHITECTURE.md lists the forms.
func parseArg(text string, sig *types.Signature) (Arg, error) {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return Arg{Kind: ArgInt, Int: n}, nil
	}
	if text == "&0" {
		return Arg{Kind: ArgRef, Param: -1}, nil
	}
	kind, name := ArgParam, text
	if inner, ok := strings.CutPrefix(text, "sizeof("); ok && strings.HasSuffix(inner, ")") {
		kind, name = ArgSizeof, strings.TrimSuffix(inner, ")")
	} else if inner, ok := strings.CutPrefix(text, "&"); ok {
		kind, name = ArgRef, inner
	} else if inner, ok := strings.CutSuffix(text, ".ptr"); ok {
		kind, name = ArgPtr, inner
	} else if inner, ok := strings.CutSuffix(text, ".len"); ok {
		kind, name = ArgLen, inner
	}
	if i := paramIndex(sig, name); i >= 0 {
		return Arg{Kind: kind, Param: i}, nil
	}
	if kind == ArgSizeof && name != "" && !strings.ContainsFunc(name, notTypeName) {
		return Arg{Kind: kind, Param: -1, Type: name}, nil
	}
	return Arg{}, fmt.Errorf("no parameter %q", name)
}

func notTypeName(r rune) bool { return notIdent(r) && r != '.' }

// paramIndex finds a parameter by name, the receiver counting as 0 where there
// is one; -1 if there is none.
func paramIndex(sig *types.Signature, name string) int {
	i := 0
	if recv := sig.Recv(); recv != nil {
		if recv.Name() == name && name != "" {
			return 0
		}
		i = 1
	}
	for p := range sig.Params().Variables() {
		if p.Name() == name && name != "" && name != "_" {
			return i
		}
		i++
	}
	return -1
}
