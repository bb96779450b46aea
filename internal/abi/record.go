package abi

// RecordPrefix begins the name of a typedef in an object's BTF; the name of a ring
// buffer or perf event array follows. The typedef stands for the type of the
// buffer's records, which its map definition can't tell: the kernel wants buffers
// without a value type.
const RecordPrefix = "waggle_record_"
