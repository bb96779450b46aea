// Package abi holds the facts about the kernel that the compiler and the loader
// share, as tables: program kinds, map kinds, helpers, context layouts. It
// contains no algorithm. Files named z*.go are generated; see gen.
package abi
