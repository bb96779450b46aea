// Package differential compares functions compiled for the kernel with the same
// functions compiled by Go. The oracle is the Go toolchain: for every input a
// function has to return the same results, leave the same bytes behind what it
// got pointers and slices to, or fault for the same reason on the same line.
//
// A [Subject] is a package of ordinary Go. Each of its exported functions gets a
// wrapper, an XDP program that takes the arguments from a variable and puts the
// results into another; user space writes one, runs the program with
// BPF_PROG_TEST_RUN and reads the other. How an argument travels follows from the
// type of the parameter:
//
//	T    the value
//	[]T  an array of which the function gets the first n elements
//	*T   the address of the value, sometimes nil
//
// Slices and pointers are tried twice: pointing into the variable, which is a map
// value to the kernel, and pointing to copies on the stack.
//
// [Subject.Run] calls the native functions in the process, through a table of
// them. [Program] is for source that did not exist when the test was built: it
// has the go command build the native side.
package differential
