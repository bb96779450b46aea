package source

import "go/token"

// The codes of what loading refuses; Rules explains them.
const (
	codeHostOnly   = "W0801"
	codeNotFound   = "W0802"
	codeNoFunction = "W0803"

	codeUnknownDirective = "W0901"
	codeMisplaced        = "W0902"
	codeLibraryDirective = "W0903"
	codeTarget           = "W0904"
	codeContext          = "W0905"
	codeResult           = "W0906"
	codeVerdict          = "W0907"
	codeBadLicense       = "W0908"
	codeProgramShape     = "W0909"
	codeTwoPrograms      = "W0910"
	codeSpacedDirective  = "W0911"
	codeSlot             = "W0912"

	codeNoMaxEntries = "W1001"
	codeKeyPointer   = "W1002"
	codeKeyHole      = "W1003"
	codeValuePointer = "W1004"
	codeMapLiteral   = "W1005"
	codeTooLarge     = "W1006"
	codeRingSize     = "W1007"
	codeNestedMap    = "W1008"
	codeZeroSize     = "W1009"
	codeLPMKey       = "W1010"
	codeSpinLock     = "W1012"

	codeNotConstant   = "W1101"
	codeGlobalPointer = "W1102"
	codeGlobalSize    = "W1103"
	codeInit          = "W1105"
)

// refuse records a complaint whose way out is the rule's.
func (l *loader) refuse(pos token.Pos, code, format string, args ...any) {
	l.errorf(pos, code, Rules.WayOut(code), format, args...)
}
