// Package runtime tests package load end to end, with objects of waggle's own
// compiler: the kernel packages below it are compiled by the tests, loaded, run,
// attached and read. (Package load's own tests use objects of clang.)
package runtime
