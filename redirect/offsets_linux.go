package redirect

import (
	"fmt"

	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// layout reads the kernel's types: where the fields are that the programs read, and
// whether the kernel is blind to the short cut when a process asks how much there is to
// be read. It is not since it has a field for that.
func layout() (at kern.Offsets, blind bool, err error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return at, false, fmt.Errorf("read the kernel's types: %w", err)
	}
	at, err = offsets(spec)
	_, missing := position(spec, "sk_psock", "msg_tot_len")
	return at, missing != nil, err
}

// offsets finds out where the running kernel has the fields that the programs read.
func offsets(spec *btf.Spec) (at kern.Offsets, err error) {
	for _, f := range []struct {
		record, name string
		offset       *uint32
	}{
		{"tcp_sock", "write_seq", &at.WriteSeq},
		{"tcp_sock", "copied_seq", &at.CopiedSeq},
		{"tcp_sock", "icsk_ulp_ops", &at.ULP},
		{"sock", "sk_user_data", &at.UserData},
		{"sock", "sk_socket", &at.Socket},
		{"sock", "skc_flags", &at.SockFlags},
		{"sk_psock", "ingress_msg", &at.IngressMsg},
		{"sk_psock", "refcnt", &at.Refcnt},
		{"socket", "sk", &at.SocketSk},
		{"socket", "file", &at.File},
		{"file", "f_flags", &at.FileFlags},
		{"task_struct", "files", &at.Files},
		{"task_struct", "mm", &at.MM},
		{"task_struct", "tgid", &at.TGID},
		{"files_struct", "fdt", &at.FDTable},
		{"fdtable", "max_fds", &at.MaxFDs},
		{"fdtable", "fd", &at.FD},
		{"file", "private_data", &at.PrivateData},
		{"file", "f_inode", &at.Inode},
		{"mm_struct", "exe_file", &at.ExeFile},
		{"inode", "i_ino", &at.Ino},
		{"inode", "i_sb", &at.Superblock},
		{"super_block", "s_dev", &at.Device},
	} {
		bits, err := position(spec, f.record, f.name)
		if err != nil {
			return at, err
		}
		*f.offset = uint32(bits.Bytes())
	}
	bits, err := position(spec, "sock", "sk_kern_sock")
	if err != nil {
		return at, err
	}
	at.KernSock, at.KernSockBit = uint32(bits/8), uint32(bits%8)
	at.ZerocopyFlag, err = constant(spec, "sock_flags", "SOCK_ZEROCOPY")
	return at, err
}

// constant finds a constant of an enumeration of the kernel.
func constant(spec *btf.Spec, enum, name string) (uint32, error) {
	var e *btf.Enum
	if err := spec.TypeByName(enum, &e); err != nil {
		return 0, fmt.Errorf("find enum %s of the kernel: %w", enum, err)
	}
	for _, v := range e.Values {
		if v.Name == name {
			return uint32(v.Value), nil
		}
	}
	return 0, fmt.Errorf("find enum %s of the kernel: it has no %s", enum, name)
}

// position finds a field of a structure of the kernel.
func position(spec *btf.Spec, record, name string) (btf.Bits, error) {
	var s *btf.Struct
	if err := spec.TypeByName(record, &s); err != nil {
		return 0, fmt.Errorf("find struct %s of the kernel: %w", record, err)
	}
	bits, ok := find(s.Members, name)
	if !ok {
		return 0, fmt.Errorf("find struct %s of the kernel: it has no field %s", record, name)
	}
	return bits, nil
}

// find looks for a field among members, and in those that have no name or come first
// (a struct tcp_sock begins with a struct inet_connection_sock).
func find(members []btf.Member, name string) (btf.Bits, bool) {
	for i, m := range members {
		if m.Name == name {
			return m.Offset, true
		}
		if i > 0 && m.Name != "" {
			continue
		}
		if off, ok := find(membersOf(m.Type), name); ok {
			return m.Offset + off, true
		}
	}
	return 0, false
}

func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
