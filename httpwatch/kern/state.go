package kern

import "github.com/waggle-bpf/waggle/bpf/tc"

// State is what the programs know about a flow.
type State struct {
	Mode Mode
	Born uint32 // the sequence number at which following began
	Next uint32 // everything between Born and here has been dealt with
	// Until is the first byte of interest, while Skipping.
	Until    uint32
	Skipping bool
	// Left says that something was left out since the last record.
	Left bool
	// FromStart says that Born is the first byte of the connection.
	FromStart bool
	// Early says that something was sent while undecided.
	Early bool
	// Tunnel is set on the flow of replies to a CONNECT.
	Tunnel bool
}

// Mode says what to do with the segments of a flow.
type Mode uint32

const (
	// undecided: nothing of the flow has been seen.
	undecided Mode = iota
	// forwarding: send it.
	forwarding
	// scanning: look for the start of a request.
	scanning
	// replies: look whether the server switches to another protocol.
	replies
	// ignored: it is nothing of ours.
	ignored
)

// behind is how far back a sequence number may lie to be taken for an old one. What
// seems to be further back is ahead: the programs have missed gigabytes.
const behind = 1 << 30

// has reports whether all of s has been dealt with before.
func (f *State) has(s *segment) bool { return f.Next-s.end() < behind }

// heedVerdict does what user space says about flow, whose state f is.
func (f *State) heedVerdict(flow *Flow) {
	if f.Mode == replies {
		return
	}
	v := Verdicts.Lookup(*flow)
	if v == nil {
		return
	}
	if v.Born == f.Born { // else it is about an earlier connection
		switch v.Kind {
		case Ignore:
			f.Mode = ignored
		case Scan:
			f.Mode = scanning
		case Skip:
			f.Until, f.Skipping = v.Until, true
		}
	}
	Verdicts.Delete(*flow)
}

// decide reports whether to send s, and finds out on the way what its flow is.
func (f *State) decide(ctx *tc.Context, s *segment) bool {
	switch f.Mode {
	case undecided:
		return f.decideFirst(ctx, s)
	case scanning:
		start := s.start(ctx)
		if start.request() == yes {
			f.Mode = forwarding
			return true
		}
		f.leave(s)
	case replies:
		f.watchReplies(s, s.start(ctx))
	case forwarding:
		return true
	case ignored: // by the verdict just now
	}
	return false
}

// decideFirst looks at the beginning of a connection, or at what has overtaken it.
// After that has been sent, the beginning is sent in any case: user space waits for
// it.
func (f *State) decideFirst(ctx *tc.Context, s *segment) bool {
	if s.seq != f.Born {
		f.Early = true
		return true
	}
	start := s.start(ctx)
	switch {
	case f.Early:
	case start.isReply():
		f.Mode = replies
		f.watchReplies(s, start)
		return false
	case start.request() == no:
		f.Mode = ignored
		return false
	}
	f.Mode = forwarding
	return true
}

// watchReplies tells user space when the server agrees to switch protocols: after
// an Upgrade (status 101) or a CONNECT (any status of success).
func (f *State) watchReplies(s *segment, start start) {
	f.leave(s)
	if !start.isReply() {
		return
	}
	if start.switches() || f.Tunnel && start.class() == '2' {
		s.switched()
	}
	if start.class() != '1' { // it was the final reply
		f.Tunnel = false
	}
}

// skips leaves out what user space doesn't want of s, and reports whether that is
// all of it.
func (f *State) skips(s *segment) bool {
	if !f.Skipping {
		return false
	}
	left := f.Until - s.seq
	if left == 0 || left > behind { // arrived, or past it
		f.Skipping = false
		return false
	}
	if left >= s.len {
		f.pass(s.seq, s.len)
		return true
	}
	f.pass(s.seq, left)
	s.cut(left)
	return false
}

// leave passes over s for good: user space must not wait for it.
func (f *State) leave(s *segment) {
	f.Left = true
	f.Next = s.end()
}

// pass notes that n bytes at seq have been dealt with. Next goes past a gap only if
// nobody waits for it any more.
func (f *State) pass(seq, n uint32) {
	ahead := seq - f.Next
	if ahead == 0 || ahead > Window {
		f.Next = seq + n
	}
}
