// Package funcs is the table of functions that are compared between Go and the
// kernel. Each exported one is an ordinary Go function without anything of ours;
// what it computes hardly matters, that it comes out the same does.
package funcs
