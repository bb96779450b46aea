package corpus

import (
	"strconv"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/tests/corpus/cgroupguard"
	"github.com/waggle-bpf/waggle/tests/corpus/dhcprelay"
	"github.com/waggle-bpf/waggle/tests/corpus/funclatency"
	"github.com/waggle-bpf/waggle/tests/corpus/loadbalancer"
	"github.com/waggle-bpf/waggle/tests/corpus/opensnoop"
	"github.com/waggle-bpf/waggle/tests/corpus/ratelimit"
	"github.com/waggle-bpf/waggle/tests/corpus/redirect"
	"github.com/waggle-bpf/waggle/tests/corpus/samplepackets"
	"github.com/waggle-bpf/waggle/tests/corpus/syscount"
	"github.com/waggle-bpf/waggle/tests/corpus/tcmirror"
	"github.com/waggle-bpf/waggle/tests/corpus/tcplife"
)

func itoa(n uint16) string { return strconv.Itoa(int(n)) }

// entries is the corpus.
var entries = []entry{
	{dir: "xdppass", twin: twinXDPPass},
	{dir: "mapcounter", twin: twinMapCounter},
	{dir: "percpucounter", twin: twinPerCPUCounter},
	{dir: "parsepackets", twin: twinParsePackets},
	{dir: "sources", twin: twinSources},
	{dir: "patchports", twin: twinPatchPorts},
	{dir: "vlanswap", twin: twinVLANSwap},
	{dir: "icmpecho", twin: twinICMPEcho},
	{dir: "redirect", twin: twinRedirect, constants: []constant{
		con("Target", &redirect.Target, target), con("TargetMAC", &redirect.TargetMAC, macC),
	}},
	{dir: "vlanparse", twin: twinVLANParse},
	{dir: "afxdp", twin: twinAFXDP},
	{dir: "samplepackets", twin: twinSamplePackets, constants: []constant{con("SampleSize", &samplepackets.SampleSize, 100)}},
	{dir: "tailgrow", twin: twinTailGrow},
	{dir: "tcpdump", twin: twinTCPDump},
	{dir: "loadbalancer", twin: twinLoadBalancer, constants: []constant{con("Service", &loadbalancer.Service, struct {
		IP   bpf.BE32
		Port bpf.BE16
	}{packet.IPv4Addr(10, 0, 0, 2), packet.Port(80)})}},
	{dir: "tailcalls", twin: twinTailCalls},
	{dir: "lpmfirewall", twin: twinLPMFirewall},
	{dir: "p0f", twin: twinP0f},
	{dir: "cpumap", twin: twinCPUMap},
	{dir: "workqueue", twin: twinWorkQueue},
	{dir: "dhcprelay", twin: twinDHCPRelay, constants: []constant{
		con("Relay", &dhcprelay.Relay, packet.IPv4Addr(10, 0, 0, 5)), con("Server", &dhcprelay.Server, packet.IPv4Addr(10, 0, 0, 9)),
	}},

	{dir: "tcreply", twin: twinTCReply},
	{dir: "tcxcounters", twin: twinTCXCounters, live: liveTCXCounters},
	{dir: "tcpackets", twin: twinTCPackets},
	{dir: "txqueue", twin: twinTXQueue},
	{dir: "tcxdemo", twin: twinTCXDemo, live: liveTCXDemo},
	{dir: "preservedscp", twin: twinPreserveDSCP},
	{dir: "ratelimit", twin: twinRateLimit, constants: []constant{
		con("Rate", &ratelimit.Rate, 1), con("Burst", &ratelimit.Burst, 3),
	}},
	{dir: "cgroupcount", twin: twinCgroupCount, live: liveCgroupCount},

	{dir: "router", twin: twinRouter, live: liveRouter},
	{dir: "httpfilter", twin: twinHTTPFilter, live: liveHTTPFilter},
	{dir: "sockfilter", live: liveSockFilter},
	{dir: "sockredirect", live: liveSockRedirect},
	{dir: "tcprtt", live: liveTCPRTT},
	{dir: "cgroupguard", live: liveCgroupGuard, constants: []constant{con("BlockedPort", &cgroupguard.BlockedPort, 9)}},
	{dir: "servicenat", twin: twinServiceNAT, live: liveServiceNAT},
	{dir: "sklookup", live: liveSkLookup},
	{dir: "skskbecho", live: liveSkSkbEcho},
	{dir: "skstorage", live: liveSkStorage},

	{dir: "kprobecount", live: liveKprobeCount},
	{dir: "kprobepercpu", live: liveKprobePerCPU},
	{dir: "execevents", live: liveExecEvents},
	{dir: "pagealloc", live: livePageAlloc},
	{dir: "minimal", live: liveMinimal},
	{dir: "minimalns", live: liveMinimalNS},
	{dir: "opensnoop", live: liveOpenSnoop, constants: []constant{con("PID", &opensnoop.PID, pid())}},
	{dir: "readline", live: liveReadline},
	{dir: "funclatency", live: liveFuncLatency, constants: []constant{con("ArgIsString", &funclatency.ArgIsString, true)}},
	{dir: "tcpstates", live: liveTCPStates},
	{dir: "tcplife", live: liveTCPLife, constants: []constant{con("Family", &tcplife.Family, sk.AFInet6)}},
	{dir: "xdpmonitor", live: liveXDPMonitor},
	{dir: "runqlat", live: liveRunqlat},
	{dir: "perfsample", live: livePerfSample},
	{dir: "syscount", live: liveSyscount, constants: []constant{con("PID", &syscount.PID, pid())}},

	{dir: "nat64", twin: twinNAT64},
	{dir: "pping", twin: twinPPing},
	{dir: "xdpmeta", twin: twinXDPMeta, live: liveXDPMeta},
	{dir: "tcmirror", twin: twinTCMirror, constants: []constant{
		con("Host", &tcmirror.Host, packet.MustParseAddr("10.0.0.1")), con("Target", &tcmirror.Target, target),
	}},
	{dir: "skverdict", live: liveSkVerdict},
	{dir: "socklife", live: liveSockLife},
	{dir: "findsock", live: liveFindSock},
	{dir: "tcpprogress", live: liveTCPProgress},
	{dir: "keycount", twin: twinKeyCount},
	{dir: "dnsblock", twin: twinDNSBlock},
	{dir: "tlssni", twin: twinTLSSNI},
	{dir: "pktloop", twin: twinPktLoop},
}
