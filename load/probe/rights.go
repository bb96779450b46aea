package probe

import "github.com/waggle-bpf/waggle/load/internal/capability"

var rightsFor = []struct {
	capability capability.Cap
	use        string
}{
	{capability.BPF, "maps and programs of all kinds"},
	{capability.NetAdmin, "network programs: xdp, tc, cgroups, sockets"},
	{capability.Perfmon, "tracing programs: tracepoints, probes, perf events"},
	{capability.NetRaw, "socket filters on interfaces"},
}

func rights() []Feature {
	var list []Feature
	for _, r := range rightsFor {
		f := Feature{Group: Rights, Name: r.capability.String(), OK: true, Use: r.use}
		if _, lacks := capability.Missing(r.capability); lacks {
			f.OK, f.Reason = false, "the process has not got it"
		}
		list = append(list, f)
	}
	return list
}
