// Package testkit is what tests that touch the kernel stand on.
//
// A package whose tests load or attach programs hands its TestMain over:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// The test binary then runs in network and mount namespaces of its own, with its
// own loopback device, bpf file system and parent cgroup. Nothing it does is seen
// by other test binaries or by the machine, whatever is left over is its own, and
// the binary fails when that is anything: file descriptors, devices, queueing
// disciplines, attached programs, pins, cgroups, processes.
//
// The rest are parts to build tests from: [Need], [NeedKernel] and [RequireRoot]
// decide what may be skipped, [NewNS] and [NewPair] make networks, [NewCgroup]
// makes cgroups, [Nginx] serves, [Golden] and [OpenArchive] compare with files.
// Package vm runs a test binary on another kernel, package command tests a package
// main.
package testkit
