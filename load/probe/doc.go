// Package probe finds out what this machine lets BPF do: what its kernel has,
// what is mounted, and what the process has the rights for. It is what a
// program asks before it promises anything, and what tells a user why
// something does not work.
//
//	for _, f := range probe.All() {
//		if !f.OK {
//			fmt.Println(f.Name, "is missing:", f.Reason)
//		}
//	}
//
// Probes load and create small things that end at once; nothing is attached,
// and nothing stays behind. What the kernel has is remembered for the life of
// the process.
package probe
