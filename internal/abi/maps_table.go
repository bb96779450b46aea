package abi

var (
	param1 = MapSide{TypeParam: 1}
	param2 = MapSide{TypeParam: 2}
	u32    = MapSide{Fixed: 4}
	none   = MapSide{}
)

const flagNoPrealloc = 1

// MapTypes is the table of map types that package bpf offers.
var MapTypes = []MapType{
	{GoName: "Hash", Kind: MapHash, Key: param1, Value: param2, MinKernel: "3.19"},
	{GoName: "Array", Kind: MapArray, Key: u32, Value: param1, MinKernel: "3.19"},
	{GoName: "PerCPUHash", Kind: MapPerCPUHash, Key: param1, Value: param2, MinKernel: "4.6"},
	{GoName: "PerCPUArray", Kind: MapPerCPUArray, Key: u32, Value: param1, MinKernel: "4.6"},
	{GoName: "LRUHash", Kind: MapLRUHash, Key: param1, Value: param2, MinKernel: "4.10"},
	{GoName: "LRUPerCPUHash", Kind: MapLRUPerCPUHash, Key: param1, Value: param2, MinKernel: "4.10"},
	{GoName: "LPMTrie", Kind: MapLPMTrie, Key: param1, Value: param2, Flags: flagNoPrealloc, MinKernel: "4.11"},
	{GoName: "Scratch", Kind: MapPerCPUArray, Key: u32, Value: param1, DefaultMaxEntries: 1, MinKernel: "4.6"},
	{GoName: "ProgArray", Kind: MapProgArray, Key: u32, Value: u32, MinKernel: "4.2"},
	{GoName: "PerfEventArray", Kind: MapPerfEventArray, Key: u32, Value: u32, NoMaxEntries: true, MinKernel: "4.3"},
	{GoName: "RingBuf", Kind: MapRingBuf, Key: none, Value: none, MinKernel: "5.8"},
	{GoName: "SockMap", Kind: MapSockMap, Key: u32, Value: u32, MinKernel: "4.14"},
	{GoName: "SockHash", Kind: MapSockHash, Key: param1, Value: u32, MinKernel: "4.18"},
	{GoName: "DevMap", Kind: MapDevMap, Key: u32, Value: u32, MinKernel: "4.14"},
	{GoName: "DevMapHash", Kind: MapDevMapHash, Key: u32, Value: u32, MinKernel: "5.4"},
	{GoName: "CPUMap", Kind: MapCPUMap, Key: u32, Value: u32, MinKernel: "4.15"},
	{GoName: "XSKMap", Kind: MapXSKMap, Key: u32, Value: u32, MinKernel: "4.18"},
	{GoName: "SkStorage", Kind: MapSkStorage, Key: u32, Value: param1, Flags: flagNoPrealloc, NoMaxEntries: true, MinKernel: "5.2"},
	{GoName: "Queue", Kind: MapQueue, Key: none, Value: param1, MinKernel: "4.20"},
	{GoName: "Stack", Kind: MapStack, Key: none, Value: param1, MinKernel: "4.20"},
}
