// Package examples is the roof over small programs to start from, one in each
// directory: kern is the kernel half, main.go the loader. README.md lists them.
package examples
