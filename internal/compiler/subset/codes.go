package subset

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
)

// The codes; the table in rules.go explains them. A code never changes its
// meaning: new ones go at the end of their family.
const (
	codeGo     = "W0101"
	codeChan   = "W0102"
	codeSelect = "W0103"

	codeAppend = "W0201"
	codeMake   = "W0202"
	codeGoMap  = "W0203"
	codeEscape = "W0204"

	codeInterface  = "W0301"
	codeAssertion  = "W0302"
	codeTypeSwitch = "W0303"

	codeFloat   = "W0401"
	codeComplex = "W0402"

	codeDefer     = "W0501"
	codeRecover   = "W0502"
	codeRecursion = "W0503"
	codeFuncValue = "W0506"
	codePrint     = "W0507"
	codeNoBody    = "W0508"

	codeMakeString  = "W0601"
	codeConcat      = "W0602"
	codeStringSlice = "W0603"
	codeRangeString = "W0604"
	codeStringOrder = "W0605"

	codeUnsafe = "W0701"

	codeMapCopy    = "W1011"
	codeConstStore = "W1104"
)

// The codes of what shows only when code is made of the program; the later
// stages of the compiler report them.
const (
	MixedSlices    = "W1203"
	PacketVariable = "W1204"
	PlainToPacket  = "W1205"
	PacketCapacity = "W1206"
	ConstantString = "W1207"
	LogCall        = "W1208"
	AtomicSize     = "W1209"
	StackSize      = "W1210"
	NoForm         = "W1211"
	FuncChoice     = "W1212"
	StalePacket    = "W1213"
	PointerChoice  = "W1214"
	Recursion      = codeRecursion
)

// Family is a group of rules with one heading.
type Family struct {
	// Prefix is what the family's codes begin with: "W01".
	Prefix string
	Title  string
}

// Families lists the groups in order, those of package source among them.
var Families = []Family{
	{"W01", "Concurrency"},
	{"W02", "Memory"},
	{"W03", "Interfaces"},
	{"W04", "Floating-point and complex numbers"},
	{"W05", "Functions"},
	{"W06", "Strings"},
	{"W07", "Addresses"},
	{"W08", "Packages"},
	{"W09", "Directives"},
	{"W10", "Maps"},
	{"W11", "Package variables"},
	{"W12", "Code generation"},
}

// Rules documents every code that loading and checking can give, in order.
var Rules = sorted(slices.Concat(rules, lateRules, source.Rules))

func sorted(r diag.Rules) diag.Rules {
	slices.SortFunc(r, func(a, b diag.Rule) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
	return r
}
