package tc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Constants of pkt_sched.h and pkt_cls.h that x/sys lacks.
const (
	clsactHandle = 0xffff0000
	clsactParent = 0xfffffff1 // TC_H_CLSACT

	bpfFD    = 6  // TCA_BPF_FD
	bpfName  = 7  // TCA_BPF_NAME
	bpfFlags = 8  // TCA_BPF_FLAGS
	bpfID    = 11 // TCA_BPF_ID

	directAction = 1 // TCA_BPF_FLAG_ACT_DIRECT: the program's result is the verdict
)

// Filter is an attached program. Its methods are not safe for concurrent use.
type Filter struct {
	conn  *conn
	place tcmsg
	name  string
	id    uint32 // of the program, to know the filter again
}

// Attach adds a filter behind those that are there, and the clsact queueing
// discipline before it if there is none.
func Attach(o Options) (_ *Filter, err error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	f := &Filter{conn: c, name: nameOf(self(), o.Program)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	release, err := holdClsact(c, o.Interface)
	if err != nil {
		return nil, err
	}
	// Only now: what the dead left behind tells that the discipline is ours, too.
	if _, err := removeStale(c, o.Interface); err != nil {
		return nil, errors.Join(err, release())
	}
	place := tcmsg{index: o.Interface, parent: uint32(o.Parent), info: allProtocols}
	// The echo tells which priority and handle the kernel chose.
	bodies, err := c.do(f.request(place, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ECHO, o.FD))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("add tc filter: %w", unsupported(err)), release())
	}
	if err := f.learn(bodies); err != nil {
		return nil, errors.Join(err, release())
	}
	return f, nil
}

// allProtocols is the lower half of tcm_info: ETH_P_ALL in network order.
var allProtocols = uint32(native.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff}))

func (f *Filter) request(place tcmsg, flags uint16, fd int) request {
	r := newRequest(unix.RTM_NEWTFILTER, flags, place)
	r.text(unix.TCA_KIND, "bpf")
	r.nest(unix.TCA_OPTIONS, func() {
		r.uint32(bpfFD, uint32(fd))
		r.text(bpfName, f.name)
		r.uint32(bpfFlags, directAction)
	})
	return r
}

func (f *Filter) learn(bodies [][]byte) error {
	for _, body := range bodies {
		if got, ok := parseFilter(body); ok && got.name == f.name {
			f.place, f.id = got.place, got.id
			return nil
		}
	}
	return errors.New("add tc filter: the kernel did not say which one it is")
}

// unsupported marks the answers of kernels without clsact or BPF filters.
func unsupported(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %w", ebpf.ErrNotSupported, err)
	}
	return err
}

// Replace swaps the program for another in one step.
func (f *Filter) Replace(fd int) error {
	bodies, err := f.conn.do(f.request(f.place, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ECHO, fd))
	if err != nil {
		return fmt.Errorf("replace tc filter: %w", err)
	}
	return f.learn(bodies)
}

// Close removes the filter, unless it is gone or somebody else's by now, and
// the queueing discipline if it was ours and is empty.
func (f *Filter) Close() error {
	err := f.remove()
	return errors.Join(err, releaseClsact(f.conn, f.place.index), f.conn.close())
}

func (f *Filter) remove() error {
	all, err := filters(f.conn, f.place.index, Parent(f.place.parent))
	if err != nil {
		return gone(err)
	}
	for _, other := range all {
		if other.place == f.place && other.id == f.id {
			return gone(deleteFilter(f.conn, f.place))
		}
	}
	return nil
}

// gone forgives what says that there is nothing left to remove: the filter,
// its queueing discipline or the whole interface.
func gone(err error) error {
	for _, errno := range []error{unix.ENOENT, unix.EINVAL, unix.ENODEV} {
		if errors.Is(err, errno) {
			return nil
		}
	}
	return err
}

func deleteFilter(c *conn, place tcmsg) error {
	r := newRequest(unix.RTM_DELTFILTER, 0, place)
	r.text(unix.TCA_KIND, "bpf")
	if _, err := c.do(r); err != nil {
		return fmt.Errorf("remove tc filter: %w", err)
	}
	return nil
}

// listed is a BPF filter as the kernel lists it.
type listed struct {
	place tcmsg
	name  string
	id    uint32
}

func filters(c *conn, index int, parent Parent) ([]listed, error) {
	bodies, err := c.do(newRequest(unix.RTM_GETTFILTER, unix.NLM_F_DUMP, tcmsg{index: index, parent: uint32(parent)}))
	if err != nil {
		return nil, fmt.Errorf("list tc filters: %w", err)
	}
	var all []listed
	for _, body := range bodies {
		if f, ok := parseFilter(body); ok {
			all = append(all, f)
		}
	}
	return all, nil
}

// parseFilter reads a filter; those without a handle are only the head of
// their priority.
func parseFilter(body []byte) (listed, bool) {
	if len(body) < tcmsgSize {
		return listed{}, false
	}
	f := listed{place: tcmsg{
		index:  int(int32(native.Uint32(body[4:]))),
		handle: native.Uint32(body[8:]),
		parent: native.Uint32(body[12:]),
		info:   native.Uint32(body[16:]),
	}}
	options := attributes(attributes(body, tcmsgSize)[unix.TCA_OPTIONS], 0)
	f.name = strings.TrimRight(string(options[bpfName]), "\x00")
	if id := options[bpfID]; len(id) == 4 {
		f.id = native.Uint32(id)
	}
	return f, f.place.handle != 0
}

// namePrefix begins the names of our filters; the process, as PID@NAMESPACE, and the
// program follow.
const namePrefix = "waggle:"

// maker is a process, whose number means something only in its PID namespace, which
// has the number of an inode; 0 if that is not known.
type maker struct {
	pid       int
	namespace uint64
}

// self is this process.
var self = sync.OnceValue(func() maker {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return maker{os.Getpid(), 0}
	}
	return maker{os.Getpid(), st.Ino}
})

// dead tells whether the process has certainly ended.
func (m maker) dead() bool {
	return m.namespace != 0 && m.namespace == self().namespace && errors.Is(unix.Kill(m.pid, 0), unix.ESRCH)
}

func nameOf(m maker, program string) string {
	return fmt.Sprintf("%s%d@%d:%s", namePrefix, m.pid, m.namespace, program)
}

// makerOf reads the process out of a filter's name.
func makerOf(name string) (m maker, ours bool) {
	rest, ours := strings.CutPrefix(name, namePrefix)
	process, _, found := strings.Cut(rest, ":")
	pid, namespace, known := strings.Cut(process, "@")
	number, err1 := strconv.Atoi(pid)
	inode, err2 := strconv.ParseUint(namespace, 10, 64)
	return maker{number, inode}, ours && found && known && number > 0 && err1 == nil && err2 == nil
}

// RemoveStale removes the filters of processes that are not alive any more, as far
// as this process's PID namespace is theirs, and returns how many.
func RemoveStale(index int) (removed int, err error) {
	c, err := dial()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return removeStale(c, index)
}

func removeStale(c *conn, index int) (removed int, err error) {
	for _, parent := range []Parent{Ingress, Egress} {
		all, err := filters(c, index, parent)
		if err != nil {
			return removed, gone(err)
		}
		for _, f := range all {
			if m, ours := makerOf(f.name); !ours || !m.dead() {
				continue
			}
			if err := gone(deleteFilter(c, f.place)); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

// disciplines counts, per interface, the filters of this process that live in
// a clsact queueing discipline that this process made: with the last of them
// it goes, too. It is the one thing here that no file descriptor can hold.
var disciplines struct {
	sync.Mutex
	users map[discipline]int
}

type discipline struct {
	namespace uint64
	index     int
}

func (c *conn) discipline(index int) (discipline, error) {
	ns, err := c.namespace()
	return discipline{ns, index}, err
}

// holdClsact makes sure of the queueing discipline. Call release if it is not
// needed after all.
func holdClsact(c *conn, index int) (release func() error, err error) {
	d, err := c.discipline(index)
	if err != nil {
		return nil, err
	}
	disciplines.Lock()
	defer disciplines.Unlock()
	r := newRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, tcmsg{index: index, handle: clsactHandle, parent: clsactParent})
	r.text(unix.TCA_KIND, "clsact")
	_, err = c.do(r)
	existed := errors.Is(err, unix.EEXIST)
	if err != nil && !existed {
		return nil, fmt.Errorf("add clsact queueing discipline: %w", unsupported(err))
	}
	if disciplines.users == nil {
		disciplines.users = map[discipline]int{}
	}
	// If it existed and is nobody's of ours, it does not concern us.
	if n := disciplines.users[d]; !existed || n > 0 || sharedClsact(c, index) {
		disciplines.users[d] = n + 1
	}
	return func() error { return releaseClsact(c, index) }, nil
}

// sharedClsact reports whether other processes of this package, living or dead, have
// filters in the queueing discipline: then one of them has made it, most likely, and
// whoever is the last one removes it.
func sharedClsact(c *conn, index int) bool {
	for _, parent := range []Parent{Ingress, Egress} {
		all, err := filters(c, index, parent)
		if err != nil {
			return false
		}
		for _, f := range all {
			if _, ours := makerOf(f.name); ours {
				return true
			}
		}
	}
	return false
}

// releaseClsact gives up one use of the queueing discipline.
func releaseClsact(c *conn, index int) error {
	d, err := c.discipline(index)
	if err != nil {
		return err
	}
	disciplines.Lock()
	defer disciplines.Unlock()
	switch n := disciplines.users[d]; n {
	case 0:
		return nil
	case 1:
		delete(disciplines.users, d)
		return removeEmptyClsact(c, index)
	default:
		disciplines.users[d] = n - 1
		return nil
	}
}

func removeEmptyClsact(c *conn, index int) error {
	for _, parent := range []Parent{Ingress, Egress} {
		all, err := filters(c, index, parent)
		if err != nil || len(all) > 0 {
			return gone(err) // others use it now
		}
	}
	_, err := c.do(newRequest(unix.RTM_DELQDISC, 0, tcmsg{index: index, handle: clsactHandle, parent: clsactParent}))
	if err = gone(err); err != nil {
		return fmt.Errorf("remove clsact queueing discipline: %w", err)
	}
	return nil
}
