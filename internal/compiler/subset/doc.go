// Package subset refuses what kernel Go may not contain.
//
// Each family of rules is an [analysis.Analyzer] of its own, so that tools which
// run analyzers can run these: they look at syntax and types of one package and
// report under the codes of codes.go. [Check] runs them all over the functions
// that programs reach, and adds what only the whole program shows: recursion,
// calls that have no body, and addresses that outlive their variables.
package subset
