package xdp

// Context is struct xdp_md of include/uapi/linux/bpf.h.
type Context struct {
	data           uint32
	dataEnd        uint32
	dataMeta       uint32
	IngressIfIndex uint32
	RxQueueIndex   uint32
	EgressIfIndex  uint32
}
