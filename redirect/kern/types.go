package kern

import "github.com/waggle-bpf/waggle/bpf/packet"

// MaxConns is how many connections there is room for unless user space chooses
// otherwise.
const MaxConns = 16384

// Overhead is what a message costs in the reader's queue beside its bytes: the memory
// that is allocated for a struct sk_msg of include/linux/skmsg.h.
const Overhead = 1024

// Way is how a direction of a connection goes, and why.
type Way uint32

// The ways of a direction. Those from Alone on are through TCP and final.
const (
	// Fresh: nothing has been sent, and the other end is not enrolled yet.
	Fresh Way = iota
	// Learning: through TCP, until the reader has shown that it reads.
	Learning
	// Short: from socket to socket.
	Short
	// Alone: something was sent before the other end was enrolled, which it may
	// never be.
	Alone
	// Bulk: more was sent without an answer than fits request and response.
	Bulk
	// Backlog: the reader has left as much unread as the mark allows.
	Backlog
	// Splices: the reader calls splice(2), which does not see the short cut.
	Splices
	// Waits: an end has a socket that blocks, and would wait inside of the calls that
	// read it. In the map, any wake-up without data makes these fail with EAGAIN
	// (tcp_bpf_recvmsg in net/ipv4/tcp_bpf.c does not wait again), and with MSG_WAITALL
	// they don't wait for what comes by the short cut.
	Waits
	// Zerocopy: the sender wants to be told when its memory is free, which the short
	// cut does not do.
	Zerocopy
	// Layered: another protocol lies on TCP in the kernel, such as TLS.
	Layered
	// Mixed: something was sent past the program.
	Mixed
	// Gone: the other direction has left the short cut, or the reader is closed.
	Gone
	// Ended: the tool ends.
	Ended

	NumWays
)

// Final tells whether a direction can't change any more.
func (w Way) Final() bool { return w >= Alone }

// Side is an end of a connection. A direction has the number of the side that sends.
type Side = uint32

// The sides.
const (
	Client Side = 0
	Server Side = 1
)

// Direction is what one side sends. Send writes it, under the lock of the sending
// socket; but Veto, which others write.
type Direction struct {
	Way Way
	// Veto is a final way that somebody else has seen to be necessary, 0 if none.
	Veto Way
	// Turns is how many messages in a row found everything before them read.
	Turns uint32
	// Base is the sender's position in TCP when the direction left TCP.
	Base uint32

	// Messages and Bytes went from socket to socket, PassedMessages and PassedBytes
	// through TCP. Bytes that are sent after the sockets have left the map are not
	// counted.
	Messages, Bytes             uint64
	PassedMessages, PassedBytes uint64

	// Unanswered is what was sent since the other side's last message, which was its
	// Answers'th: bytes, and Overhead for each message.
	Unanswered, Answers uint64
	// Unread is what was put into the reader's queue since it was last found empty:
	// bytes, and Overhead for each message. MaxUnread is the most that it was.
	Unread, MaxUnread uint64
	// Thread is who sent the last message on the short cut. Shared is 1 if another
	// thread has done so before.
	Thread uint64
	Shared uint32
	// Begun is 1 when a message has been about to go by the short cut.
	Begun uint32
	// Remove has a bit for each side that the next segment is to take out of the map.
	Remove uint32
	_      uint32
}

// Sent is how many messages were sent, either way.
func (d *Direction) Sent() uint64 { return d.Messages + d.PassedMessages }

// Tuple names a connection. Ports are numbers.
type Tuple struct {
	Client, Server         packet.Addr
	ClientPort, ServerPort uint32
}

// Conn is a connection whose client's end has been enrolled.
type Conn struct {
	// ID tells connections apart that have had the same place; 0 if it is free.
	ID uint64
	Tuple
	// Born is when the client connected, by CLOCK_MONOTONIC in ns.
	Born uint64
	// PID is the process that connected.
	PID uint32
	// Open is how many ends are enrolled and not closed.
	Open uint32
	// SndNxt and RcvNxt are the client's sequence numbers when it connected.
	SndNxt, RcvNxt uint32
	// Leaving is 1 when a direction's way is final: then so is the other's.
	Leaving uint32
	// Told is 1 if user space was told that a socket could not leave the map at once.
	Told uint32
	// Out tells which ends have been taken out of the map.
	Out [2]uint32
	// Manner tells how the program of each end reads.
	Manner [2]Manner
	// Polls tells what is known of each end's socket.
	Polls [2]Polling
	// Copied is how far each end had read from TCP when Inspect last looked, Inode the
	// number of its socket's inode, 0 if it had none.
	Copied [2]uint32
	Inode  [2]uint64
	// Sock, Psock and Queue are kernel addresses of each end: its socket, 0 when it is
	// closed, what the map keeps of it, and the list of messages that wait to be read.
	Sock, Psock, Queue [2]uint64
	// Direction is what each side sends.
	Direction [2]Direction
}

// End says which connection a socket is an end of. It is kept with the socket.
type End struct {
	ID   uint64
	Slot uint32
	Side Side
	// PID is the process that connects, and Program what it runs, for clients that
	// are on their way.
	PID uint32
	// Blocks is 1 if the client's socket blocked when it began to connect.
	Blocks uint32
	Program
}

// Offer is a connection that has reached a listener. Slot and ID are those of its
// Conn, as soon as there is one.
type Offer struct {
	ID   uint64
	Slot uint32
	// Manner is that of the listener's program, Polls what is known of its sockets.
	Manner Manner
	Polls  Polling
	_      uint32
}

// Program names an executable file.
type Program struct {
	Inode  uint64
	Device uint64
}

// Manner is what is known of a program.
type Manner uint32

// The manners of programs.
const (
	// Unknown: user space has not looked at the program yet.
	Unknown Manner = iota
	// Reads: it only reads with system calls that see the short cut.
	Reads
	// MaySplice: it could splice; each connection has to show that it does not.
	MaySplice
	// MayAsk: so could it, and ask how much there is to be read. While it shows that,
	// some kernels don't tell what is in TCP, and it has to be watched.
	MayAsk
	// Refused: it splices, or reads in another way that misses the short cut.
	Refused
)

// Polling is what is known of a socket: whether it blocks.
type Polling uint32

// A socket either was not looked at yet, is believed not to block because others of
// its kind don't, was seen not to, or was seen to block.
const (
	Unseen Polling = iota
	Believed
	Polls
	Blocks
)

// Listener is a port on which a process of the group listens.
type Listener struct {
	Program
	Manner Manner
	PID    uint32
	// Polls is what was seen at the last connection.
	Polls Polling
	_     uint32
}

// Event is what a Sighting is about.
type Event uint32

// The events.
const (
	// NewProgram: a program that is not known listens or connects.
	NewProgram Event = iota
	// Spliced: a process reads from an enrolled socket with splice(2).
	Spliced
	// SplicedTooLate: the same, and there was something in the short cut, which
	// splice does not find.
	SplicedTooLate
	// Leaving: a connection has left the short cut, and a socket of it has to stay in
	// the map for now.
	Leaving
)

// Sighting is news for user space.
type Sighting struct {
	// Program and PID are of the process, in all events but Leaving.
	Program
	PID   uint32
	Event Event
	// ID and Slot are of the connection, in all events but NewProgram.
	ID   uint64
	Slot uint32
	_    uint32
}

// Totals counts since the start.
type Totals struct {
	// Enrolled counts connections, of which Paired have both ends enrolled and Closed
	// are closed.
	Enrolled, Paired, Closed uint64
	// Full counts connections for which there was no room, Unfit ends that the kernel
	// or we would not have in a socket map, Declined connections of refused programs
	// and of clients that block.
	Full, Unfit, Declined uint64
	// Ways is how many directions of closed connections have ended in which way.
	Ways [NumWays]uint64
	// The sums of closed connections; see Direction.
	Messages, Bytes             uint64
	PassedMessages, PassedBytes uint64
	// MaxUnread is the largest of all directions.
	MaxUnread uint64
	// Lost counts sightings that found no room on their way to user space.
	Lost uint64
}
