package p

//bpf:const
var config struct {
	level int32
	ports [4]uint16
}

var plain int32

func Store(n int32) int32 {
	config.level = n    // want "assignment to config, which is //bpf:const.*W1104"
	config.ports[n&3]++ // want "W1104"
	plain = config.level
	return plain
}
