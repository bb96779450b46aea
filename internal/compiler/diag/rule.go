package diag

// Rule documents one diagnostic code. A code never changes its meaning; new ones
// are added at the end of their family.
type Rule struct {
	Code string // "W0101"
	// Title says what is refused, as a phrase: "go statement".
	Title string
	// Why is one sentence, WayOut what to do instead: the diagnostic's hint.
	Why, WayOut string
	// Example is a package that gets this code and no other: either one Go
	// file or a txtar archive.
	Example string
}

// Rules finds rules by code.
type Rules []Rule

// WayOut returns what the rule with that code suggests.
func (r Rules) WayOut(code string) string {
	for i := range r {
		if r[i].Code == code {
			return r[i].WayOut
		}
	}
	panic("BUG: no rule " + code)
}
