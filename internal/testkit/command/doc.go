// Package command tests a package main from outside: as a process with
// arguments, output and signals. The process is the test binary itself, so
// nothing is built twice, and it lives in the same namespaces.
//
//	func TestMain(m *testing.M) { command.Main(m, main) }
//
//	func TestTool(t *testing.T) {
//		p := command.Start(t, "-i", "lo")
//		p.Expect("ready")
//		... traffic ...
//		p.Expect(`^127\.0\.0\.1 `)
//		p.Interrupt()
//	}
package command
