// Package source turns the files of a kernel package into typed, pruned syntax
// and go/ssa, and reads its directives, maps and variables.
package source
