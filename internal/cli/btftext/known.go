package btftext

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// known are types that mean more than their memory tells, by their names in BTF:
// those of the library bpf and of the kernel's headers.
var known = map[string]struct {
	size   int
	decode func([]byte) any
}{
	"packet_Addr": {16, decodeAddr},
	"packet_MAC":  {6, decodeMAC},
	"bpf_BE16":    {2, decodeBig},
	"bpf_BE32":    {4, decodeBig},
	"in_addr":     {4, decodeAddr},
	"in6_addr":    {16, decodeAddr},
	"__be16":      {2, decodeBig},
	"__be32":      {4, decodeBig},
	"__be64":      {8, decodeBig},
}

// decodeKnown decodes a type that has a name, or a typedef with one, among the known.
func decodeKnown(t btf.Type, data []byte) (v any, ok bool) {
	for {
		if k, ok := known[t.TypeName()]; ok && k.size == len(data) {
			return k.decode(data), true
		}
		switch q := t.(type) {
		case *btf.Typedef:
			t = q.Type
		case *btf.Const:
			t = q.Type
		case *btf.Volatile:
			t = q.Type
		default:
			return nil, false
		}
	}
}

// decodeAddr reads an IP address; IPv4 mapped into IPv6 is IPv4.
func decodeAddr(data []byte) any {
	a, _ := netip.AddrFromSlice(data)
	return a.Unmap()
}

func decodeMAC(data []byte) any { return Name(net.HardwareAddr(data).String()) }

// decodeBig reads a number in network byte order.
func decodeBig(data []byte) any {
	b := slices.Concat(make([]byte, 8-len(data)), data)
	return binary.BigEndian.Uint64(b)
}
