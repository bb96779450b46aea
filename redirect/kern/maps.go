package kern

import "github.com/waggle-bpf/waggle/bpf"

// Offsets are where the kernel at hand has the fields that the programs read, in
// bytes. User space finds them in the kernel's BTF.
type Offsets struct {
	WriteSeq, CopiedSeq uint32 // in struct tcp_sock
	ULP                 uint32 // icsk_ulp_ops in struct tcp_sock
	UserData, Socket    uint32 // sk_user_data, sk_socket in struct sock
	SockFlags           uint32 // skc_flags in struct sock
	ZerocopyFlag        uint32 // SOCK_ZEROCOPY of enum sock_flags
	IngressMsg, Refcnt  uint32 // in struct sk_psock
	SocketSk, File      uint32 // sk, file in struct socket
	FileFlags           uint32 // f_flags in struct file
	Files, MM, TGID     uint32 // in struct task_struct
	FDTable             uint32 // fdt in struct files_struct
	MaxFDs, FD          uint32 // in struct fdtable
	PrivateData, Inode  uint32 // in struct file; f_inode
	ExeFile             uint32 // in struct mm_struct
	Ino, Superblock     uint32 // i_ino, i_sb in struct inode
	Device              uint32 // s_dev in struct super_block
	KernSock            uint32 // the byte with sk_kern_sock in struct sock
	KernSockBit         uint32
}

// The constants are set before load.
//
//bpf:const
var (
	// At are the offsets.
	At Offsets
	// Mark is the bound of Direction.Unread.
	Mark uint64 = 1 << 20
	// Most is the bound of Direction.Unanswered: what fits requests and responses.
	Most uint64 = 1 << 18
	// Learn is how many messages in a row must have found everything read.
	Learn uint32 = 3
	// ByPort tells whether only the listed ports count, ByPID whether only the listed
	// processes do.
	ByPort, ByPID bool
	// SkipKernel leaves out sockets that the kernel has made for itself.
	SkipKernel bool
)

// Off is 1 when nothing must be short-cut any more.
var Off uint32

// Total counts since the start.
var Total Totals

var lastID uint64

var (
	// Sockets holds the ends, by connection and side; see key.
	Sockets = bpf.SockHash[uint64]{MaxEntries: 2 * MaxConns}
	// Ends says whose a socket is.
	Ends bpf.SkStorage[End]
	// Addresses says the same for those who have only the address of a socket.
	Addresses = bpf.Hash[uint64, End]{MaxEntries: 2 * MaxConns, Flags: bpf.NoPrealloc}
	// Conns holds the connections. User space has it mapped.
	Conns = bpf.Array[Conn]{MaxEntries: MaxConns, Flags: bpf.Mmapable}
	// Free holds the free places of Conns. User space fills it.
	Free = bpf.Queue[uint32]{MaxEntries: MaxConns}
	// Offers holds the connections that have reached a listener and not got further.
	Offers = bpf.LRUHash[Tuple, Offer]{MaxEntries: MaxConns}
	// Ports are the server ports that count, if ByPort says so.
	Ports = bpf.Hash[uint32, uint32]{MaxEntries: 4096}
	// PIDs are the processes whose connections count, if ByPID says so.
	PIDs = bpf.Hash[uint32, uint32]{MaxEntries: 65536, Flags: bpf.NoPrealloc}
	// Programs is what is known of programs.
	Programs = bpf.LRUHash[Program, Manner]{MaxEntries: 4096}
	// Listeners is what is known of those that listen, by port.
	Listeners = bpf.LRUHash[uint32, Listener]{MaxEntries: 4096}
	// Sightings is news for user space.
	Sightings = bpf.RingBuf[Sighting]{MaxEntries: 64 << 10}
)

// key is where Sockets has an end.
func key(id uint64, side Side) uint64 { return id<<1 | uint64(side&1) }
