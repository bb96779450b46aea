// A section that names no kind of program.
#include "bpf.h"
SEC("nonsense") int p(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
