// Package lint keeps the house rules that no other tool checks: the direction of
// imports, package comments, file length, error texts, and that nothing in the
// tree names the machine it was written on. The rules are this package's tests.
package lint
