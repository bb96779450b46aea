// Package bpftest runs kernel packages natively, under go test: no root, no
// kernel, on any operating system.
//
//	func TestCount(t *testing.T) {
//		k := bpftest.New(t)
//		req := bpftest.Packet{Src: "10.0.0.1:40000", Dst: "10.0.0.2:80", Payload: "GET / HTTP/1.1\r\n"}
//		if got := k.XDP(Count, req); got.Verdict != xdp.Pass {
//			t.Errorf("verdict %v", got.Verdict)
//		}
//		if n := Requests.Lookup(packet.MustParseAddr("10.0.0.1")); n == nil || *n != 1 {
//			t.Errorf("requests: %v", n)
//		}
//	}
//
// New makes a simulated kernel with empty maps. The package's own map variables
// are its maps: the test fills and reads them with the same methods that programs
// use. Events that programs sent are read with Events and Samples.
//
// What Go's run-time checks catch, such as an index out of range, is a panic here
// and a counted fault in the kernel. What only the verifier catches goes
// unnoticed: a missing nil check of a look-up that always succeeds, a pointer into
// a packet that has moved. Helpers without a native model panic and say so.
package bpftest
