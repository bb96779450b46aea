package sk

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// Op is an event in the life of a TCP connection; BPF_SOCK_OPS_* in
// include/uapi/linux/bpf.h.
type Op uint32

// The events. Which of them a connection reports depends on its CbFlags; those
// without a flag are always reported.
const (
	Void               Op = iota
	TimeoutInit           // reply with the initial retransmission timeout, or -1
	RwndInit              // reply with the initial receive window in packets, or -1
	ConnectStart          // about to send a SYN
	ActiveEstablished     // connect succeeded
	PassiveEstablished    // accept is about to
	NeedsECN              // reply 1 if congestion control needs ECN
	BaseRTT               // reply with the base round trip time, or -1
	RTO                   // a retransmission timer fired; Args: retransmits, timeout, expired
	Retransmit            // Args: sequence number, segments, result of the transmission
	StateChange           // Args: old State, new State
	Listen                // the socket began to listen
	RTT                   // a round trip was measured
	ParseHeaderOption     // a packet with TCP options arrived
	HeaderOptionLen       // reserve room for TCP options
	WriteHeaderOption     // write TCP options
)

var opNames = [...]string{
	"Void", "TimeoutInit", "RwndInit", "ConnectStart", "ActiveEstablished", "PassiveEstablished",
	"NeedsECN", "BaseRTT", "RTO", "Retransmit", "StateChange", "Listen", "RTT",
	"ParseHeaderOption", "HeaderOptionLen", "WriteHeaderOption",
}

// String names the event. It exists outside the kernel only.
func (o Op) String() string {
	if int(o) >= len(opNames) {
		return "unknown op"
	}
	return opNames[o]
}

// CbFlags are the events that a connection reports on request.
type CbFlags int32

// The flags; BPF_SOCK_OPS_*_CB_FLAG in include/uapi/linux/bpf.h.
const (
	ReportRTO CbFlags = 1 << iota
	ReportRetransmit
	ReportStateChange
	ReportRTT
	ReportAllHeaderOptions
	ReportUnknownHeaderOptions
	ReportWriteHeaderOption
)

// Reply is what a sockops program returns. What it answers to events that ask for
// something is OpsContext.SetReply's; this says whether the answer counts.
type Reply int32

// The replies. Programs that don't answer return KeepReply, too: IgnoreReply makes the
// kernel ignore the answers of all the cgroup's programs (bpf_prog_run_array_cg in
// kernel/bpf/cgroup.c).
const (
	IgnoreReply Reply = 0
	KeepReply   Reply = 1
)

// BPFContext marks OpsContext as a bpf.Context.
func (*OpsContext) BPFContext() {}

// SetCbFlags asks for further events of this connection. It returns the flags
// that the kernel does not know: 0 if all is well; or EINVAL if there is no full
// socket.
//
//bpf:helper sock_ops_cb_flags_set(c, flags)
func (c *OpsContext) SetCbFlags(flags CbFlags) bpf.Errno {
	sim.Current("OpsContext.SetCbFlags")
	c.CbFlags = uint32(flags)
	return bpf.OK
}

// OldState and NewState are the arguments of StateChange.
func (c *OpsContext) OldState() State { return State(c.Args[0]) }

// NewState is the second argument of StateChange.
func (c *OpsContext) NewState() State { return State(c.Args[1]) }

// SetReply answers events that ask for a value.
func (c *OpsContext) SetReply(v int32) { c.Args[0] = uint32(v) }

// Header returns the packet's TCP header, where the event is about a packet.
//
//bpf:intrinsic packet.data skbData skbDataEnd
func (c *OpsContext) Header() packet.Bytes {
	return sim.State[*sim.Packet](unsafe.Pointer(c), "sk.OpsContext.Header").Data()
}

// Remote returns the peer's address.
func (c *OpsContext) Remote() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.RemoteIP4)
	}
	return packet.AddrFromWords(c.RemoteIP6)
}

// Local returns the own address.
func (c *OpsContext) Local() packet.Addr {
	if c.Family == AFInet {
		return packet.AddrFrom4(c.LocalIP4)
	}
	return packet.AddrFromWords(c.LocalIP6)
}

// SocketCookie returns a number that identifies the socket as long as the machine
// runs.
//
//bpf:helper get_socket_cookie(c)
func (c *OpsContext) SocketCookie() uint64 {
	return sim.Current("sk.OpsContext.SocketCookie").Cookie(unsafe.Pointer(c))
}

// UpdateMap puts the connection's socket into m at index.
//
//bpf:helper sock_map_update(c, m, &index, flags)
func (c *OpsContext) UpdateMap(m *bpf.SockMap, index uint32, flags bpf.UpdateFlag) bpf.Errno {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.OpsContext.UpdateMap", sim.Refs, m.MaxEntries)
	return bpf.Errno(s.SetRef(sim.IndexKey(index), c, uint64(flags)))
}

// UpdateHash puts the connection's socket into m under key.
//
//bpf:helper sock_hash_update(c, m, &key, flags)
func UpdateHash[K comparable](c *OpsContext, m *bpf.SockHash[K], key K, flags bpf.UpdateFlag) bpf.Errno {
	s := sim.Open[uint32](unsafe.Pointer(m), "sk.UpdateHash", sim.Refs, m.MaxEntries)
	return bpf.Errno(s.SetRef(sim.BytesOf(&key), c, uint64(flags)))
}

// SetSockopt sets an option of the socket as setsockopt(2) does, with a value of
// type T, usually int32.
//
//bpf:helper setsockopt(c, level, name, value, sizeof(T))
func SetSockopt[T any](c *OpsContext, level, name int32, value *T) bpf.Errno {
	sim.Unsupported("sk.SetSockopt")
	return bpf.OK
}

// GetSockopt reads an option of the socket as getsockopt(2) does.
//
//bpf:helper getsockopt(c, level, name, value, sizeof(T))
func GetSockopt[T any](c *OpsContext, level, name int32, value *T) bpf.Errno {
	sim.Unsupported("sk.GetSockopt")
	return bpf.OK
}
