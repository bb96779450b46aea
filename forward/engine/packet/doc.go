// Package packet is the engine that leaves the data path: it makes the two TCP
// connections of a pair one end-to-end connection, whose packets the programs in
// package kern rewrite on their way. Until a pair is spliced the splice engine moves
// its bytes, and if it never is, it stays with that.
//
// Programs, maps and links are pinned to a BPF file system (see Options.Dir), one set
// for each network namespace, which all forwarders there share. A spliced connection
// therefore survives the forwarder: when one has died, the next one, or one that runs
// beside it, adopts its pairs and cleans up behind them.
package packet

//go:generate go run ../../../cmd/waggle build ./kern --go zkern.go
