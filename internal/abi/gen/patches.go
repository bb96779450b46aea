package main

// goFile is one generated file of structs.
type goFile struct {
	file, pkg string
	structs   []goStruct
}

// goStruct is the Go twin of a C struct.
type goStruct struct {
	c, name, doc string
	fields       map[string]patch // by C name
}

// patch changes what a field would be called, be typed, or say by default.
type patch struct{ name, typ, doc string }

const (
	be   = "bpf.BE32"
	be4  = "[4]bpf.BE32"
	sock = "*sk.Sock"
)

// addresses are the fields that describe a connection, as most contexts have
// them. The kernel keeps remote_port in the upper half of the word.
var addresses = map[string]patch{
	"family":      {typ: "uint32", doc: "AF_INET or AF_INET6"},
	"remote_ip4":  {typ: be, doc: "peer's IPv4 address"},
	"local_ip4":   {typ: be, doc: "own IPv4 address"},
	"remote_ip6":  {typ: be4, doc: "peer's IPv6 address"},
	"local_ip6":   {typ: be4, doc: "own IPv6 address"},
	"remote_port": {typ: be, doc: "peer's port: Host gives it as a number"},
	"local_port":  {doc: "own port, in host byte order"},
}

func with(base map[string]patch, more map[string]patch) map[string]patch {
	m := map[string]patch{}
	for k, v := range base {
		m[k] = v
	}
	for k, v := range more {
		m[k] = v
	}
	return m
}

var skbFields = with(addresses, map[string]patch{
	"len":             {doc: "length of the packet in bytes, fragments included"},
	"pkt_type":        {name: "PacketType", doc: "for whom the packet is: PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4"},
	"mark":            {doc: "the firewall mark"},
	"queue_mapping":   {doc: "transmit or receive queue"},
	"protocol":        {doc: "Ethernet type as a BE16: see EtherType"},
	"vlan_present":    {doc: "1 if a VLAN tag was taken off the packet"},
	"vlan_tci":        {name: "VLANTCI", doc: "tag that was taken off"},
	"vlan_proto":      {doc: "Ethernet type of that tag, in network byte order"},
	"priority":        {doc: "traffic class"},
	"ingress_ifindex": {doc: "interface the packet arrived on"},
	"ifindex":         {doc: "interface the packet is on"},
	"tc_index":        {name: "TCIndex"},
	"cb":              {name: "CB", doc: "scratch space that stays with the packet between programs"},
	"hash":            {doc: "flow hash, 0 if not computed"},
	"tc_classid":      {name: "TCClassID"},
	"data":            {name: "data"},
	"data_end":        {name: "dataEnd"},
	"data_meta":       {name: "dataMeta"},
	"napi_id":         {name: "NAPIID", doc: "NAPI instance that received it"},
	"flow_keys":       {name: "flowKeys", typ: "uint64"},
	"tstamp":          {doc: "time stamp in ns; on egress, when to send"},
	"wire_len":        {doc: "length on the wire: of a GSO packet, with the headers of all segments"},
	"gso_segs":        {doc: "number of segments of a GSO packet"},
	"sk":              {name: "Sk", typ: sock, doc: "the socket, nil if there is none"},
	"gso_size":        {doc: "payload size of one segment of a GSO packet"},
	"tstamp_type":     {doc: "the clock of Tstamp"},
	"hwtstamp":        {name: "HWTstamp", doc: "hardware receive time stamp"},
})

const skbDoc = "The layout is struct __sk_buff of include/uapi/linux/bpf.h. Which fields a\nprogram may read and write depends on its kind; the verifier knows."

// goStructs is the list of generated structs.
var goStructs = []goFile{
	{"xdp/zcontext.go", "xdp", []goStruct{{
		"xdp_md", "Context", "Context is the context of XDP programs: a packet, as the driver received it.\nThe layout is struct xdp_md of include/uapi/linux/bpf.h.",
		map[string]patch{
			"data": {name: "data"}, "data_end": {name: "dataEnd"}, "data_meta": {name: "dataMeta"},
			"ingress_ifindex": {doc: "interface the packet arrived on"},
			"rx_queue_index":  {doc: "receive queue it arrived on"},
			"egress_ifindex":  {doc: "interface it leaves by, in a program on a devmap entry"},
		},
	}}},
	{"tc/zcontext.go", "tc", []goStruct{{"__sk_buff", "Context", "Context is the context of tc programs: a packet in a socket buffer.\n" + skbDoc, skbFields}}},
	{"cgroup/zcontext.go", "cgroup", []goStruct{
		{"__sk_buff", "SkbContext", "SkbContext is the context of cgroup_skb programs: a packet that a socket of\nthe cgroup sends or receives, starting at the IP header.\n" + skbDoc, skbFields},
		{"bpf_sock", "SockContext", "SockContext is the context of programs on a socket's creation, binding and\nrelease. The layout is struct bpf_sock of include/uapi/linux/bpf.h.", sockFields},
		{"bpf_sock_addr", "SockAddrContext", "SockAddrContext is the context of programs on bind, connect and sendmsg: the\naddress that the process gave. The layout is struct bpf_sock_addr of\ninclude/uapi/linux/bpf.h.", map[string]patch{
			"user_family": {doc: "address family that the process gave"},
			"user_ip4":    {typ: be, doc: "IPv4 address, may be written"},
			"user_ip6":    {typ: be4, doc: "IPv6 address, may be written"},
			"user_port":   {typ: "uint32", doc: "port as a BE16, may be written: see Port and SetPort"},
			"family":      {doc: "address family of the socket"},
			"type":        {doc: "SOCK_STREAM 1, SOCK_DGRAM 2, ..."},
			"protocol":    {doc: "IP protocol"},
			"msg_src_ip4": {typ: be, doc: "source address of a datagram, may be written"},
			"msg_src_ip6": {typ: be4, doc: "source address of a datagram, may be written"},
			"sk":          {name: "Sk", typ: sock, doc: "the socket"},
		}},
	}},
	{"sk/zcontext.go", "sk", []goStruct{
		{"__sk_buff", "FilterContext", "FilterContext is the context of socket filters: a packet that a socket is\nabout to receive. Its bytes are read with LoadBytes.\n" + skbDoc, skSkbFields},
		{"__sk_buff", "SkbContext", "SkbContext is the context of stream parsers and verdicts: a piece of a TCP\nstream, or a datagram.\n" + skbDoc, skSkbFields},
		{"sk_msg_md", "MsgContext", "MsgContext is the context of sk_msg programs: a message that a process sends\nthrough a socket of a sockmap. The layout is struct sk_msg_md of\ninclude/uapi/linux/bpf.h.", with(addresses, map[string]patch{
			"data": {name: "data", typ: "uint64"}, "data_end": {name: "dataEnd", typ: "uint64"},
			"size": {doc: "length of the message in bytes"},
			"sk":   {name: "Sk", typ: "*Sock", doc: "the socket"},
		})},
		{"bpf_sock_ops", "OpsContext", "OpsContext is the context of sockops programs: an event in the life of a TCP\nconnection. The layout is struct bpf_sock_ops of include/uapi/linux/bpf.h.", with(addresses, map[string]patch{
			"op":                    {typ: "Op", doc: "what happened"},
			"args":                  {doc: "the event's arguments; Args[0] is also the reply"},
			"is_fullsock":           {name: "IsFullSock", doc: "1 if there is a full socket; if not, the TCP fields are zero"},
			"bpf_sock_ops_cb_flags": {name: "CbFlags", typ: "uint32", doc: "the events that the connection reports: see SetCbFlags"},
			"state":                 {typ: "State", doc: "TCP state"},
			"srtt_us":               {doc: "smoothed round trip time in us, times 8"},
			"snd_cwnd":              {doc: "congestion window in packets"},
			"rcv_nxt":               {doc: "next sequence number expected"},
			"snd_nxt":               {doc: "next sequence number to send"},
			"snd_una":               {doc: "first sequence number not acknowledged"},
			"bytes_received":        {doc: "bytes received and acknowledged"},
			"bytes_acked":           {doc: "bytes sent and acknowledged"},
			"sk":                    {name: "Sk", typ: "*Sock", doc: "the socket, nil if there is none"},
			"skb_data":              {name: "skbData", typ: "uint64"},
			"skb_data_end":          {name: "skbDataEnd", typ: "uint64"},
			"skb_len":               {doc: "length of the packet, headers included"},
			"skb_tcp_flags":         {name: "SkbTCPFlags", doc: "control bits of the packet's TCP header"},
		})},
		{"bpf_sk_lookup", "LookupContext", "LookupContext is the context of sk_lookup programs: a packet or connection\nrequest that looks for its socket. The layout is struct bpf_sk_lookup of\ninclude/uapi/linux/bpf.h.", with(addresses, map[string]patch{
			"sk":              {name: "Sk", typ: "*Sock", doc: "the socket selected so far, nil if none"},
			"protocol":        {doc: "IPPROTO_TCP 6 or IPPROTO_UDP 17"},
			"remote_port":     {typ: "bpf.BE16", doc: "peer's port"},
			"ingress_ifindex": {doc: "interface the packet arrived on"},
		})},
	}},
	{"zsock.go", "bpf", []goStruct{
		{"bpf_sock", "Sock", "Sock is a socket, as programs see it: struct bpf_sock of\ninclude/uapi/linux/bpf.h. Of a socket that is no full socket (see Full), most\nfields can't be read.", sockFields},
		{"bpf_tcp_sock", "TCPSock", "TCPSock is the state of a TCP socket: struct bpf_tcp_sock of\ninclude/uapi/linux/bpf.h.", map[string]patch{
			"bytes_received": {doc: "bytes received and acknowledged (RFC 4898 tcpEStatsAppHCThruOctetsReceived)"},
			"bytes_acked":    {doc: "bytes sent and acknowledged (RFC 4898 tcpEStatsAppHCThruOctetsAcked)"},
		}},
	}},
	{"tc/ztunnel.go", "tc", []goStruct{
		{"bpf_tunnel_key", "TunnelKey", "TunnelKey describes the outer header of a tunnelled packet: struct\nbpf_tunnel_key of include/uapi/linux/bpf.h.", map[string]patch{
			"tunnel_id":    {name: "ID", doc: "tunnel identifier, such as the VXLAN network identifier"},
			"remote_ipv6":  {name: "Remote", typ: "[4]uint32", doc: "address of the other end; an IPv4 address is in host byte order in the first word"},
			"tunnel_tos":   {name: "TOS"},
			"tunnel_ttl":   {name: "TTL"},
			"tunnel_ext":   {name: "Flags", typ: "bpf.BE16"},
			"tunnel_label": {name: "Label", doc: "IPv6 flow label"},
			"local_ipv6":   {name: "Local", typ: "[4]uint32", doc: "own address"},
		}},
		{"bpf_redir_neigh", "Neigh", "Neigh is the next hop for RedirectNeigh: struct bpf_redir_neigh of\ninclude/uapi/linux/bpf.h.", map[string]patch{
			"nh_family": {name: "Family", doc: "AF_INET or AF_INET6"},
			"ipv6_nh":   {name: "IP", typ: be4, doc: "address; an IPv4 address is in the first word"},
		}},
	}},
	{"sk/zfib.go", "sk", []goStruct{
		{"bpf_fib_lookup", "FIBLookup", "FIBLookup asks the kernel's routing tables and holds the answer: struct\nbpf_fib_lookup of include/uapi/linux/bpf.h.", map[string]patch{
			"family":       {typ: "uint8", doc: "in: AF_INET or AF_INET6; out: of the next hop"},
			"l4_protocol":  {name: "Proto", doc: "in: the transport protocol, if rules look at ports"},
			"sport":        {name: "SrcPort"},
			"dport":        {name: "DstPort"},
			"tot_len":      {name: "Len", doc: "in: length of the IP packet, to check the MTU; out: MTU"},
			"ifindex":      {doc: "in: interface the packet arrived on; out: interface to send by"},
			"flowinfo":     {name: "Flow", typ: be, doc: "in: TOS in the first byte, or IPv6 class and flow label; out: metric of the route"},
			"ipv6_src":     {name: "Src", typ: be4, doc: "source; an IPv4 address is in the first word"},
			"ipv6_dst":     {name: "Dst", typ: be4, doc: "in: destination; out: next hop"},
			"h_vlan_proto": {name: "VLAN", typ: "[2]bpf.BE16", doc: "out: VLAN type and TCI; in: table number, as a uint32"},
			"smac":         {name: "SrcMAC", typ: "packet.MAC", doc: "out: source address of the frame"},
			"dmac":         {name: "DstMAC", typ: "packet.MAC", doc: "out: destination address of the frame"},
		}},
	}},
}

var skSkbFields = with(skbFields, map[string]patch{
	"sk": {name: "Sk", typ: "*Sock", doc: "the socket, nil if there is none"},
})

var sockFields = map[string]patch{
	"bound_dev_if": {name: "BoundDevIf", doc: "interface the socket is bound to, 0 if none"},
	"family":       {doc: "AF_INET or AF_INET6"},
	"type":         {doc: "SOCK_STREAM 1, SOCK_DGRAM 2, ..."},
	"protocol":     {doc: "IP protocol"},
	"mark":         {doc: "mark of the packets it sends"},
	"priority":     {doc: "priority of the packets it sends"},
	"src_ip4":      {typ: be, doc: "own IPv4 address"},
	"src_ip6":      {typ: be4, doc: "own IPv6 address"},
	"src_port":     {doc: "own port, in host byte order"},
	"dst_port":     {typ: "bpf.BE16", doc: "peer's port"},
	"dst_ip4":      {typ: be, doc: "peer's IPv4 address"},
	"dst_ip6":      {typ: be4, doc: "peer's IPv6 address"},
	"state":        {typ: "bpf.SockState", doc: "TCP state"},
}
