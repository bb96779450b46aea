package load

import (
	"regexp"
	"strconv"
)

// rule turns one kind of verifier message, as written in the kernel's
// kernel/bpf/verifier.c, into plain words. The sentence may refer to what the
// pattern's groups matched as $1 or ${1}. A group named insn is the index of
// the instruction that the message is really about, if that is not the one
// the verifier had reached.
type rule struct {
	pattern  *regexp.Regexp
	sentence string
	hint     string
}

func message(pattern, sentence, hint string) rule {
	return rule{regexp.MustCompile(pattern), sentence, hint}
}

// rules are tried in order on each line of the message: the specific before
// the general.
var rules = []rule{
	// Memory.
	message(`invalid access to packet`,
		"may read or write past the end of the packet",
		"compare the offset with the packet's end before the access, and again after calls that can move packet data"),
	message(`R\d+ (offset is outside of the packet|max value is outside of the allowed memory range of the packet)`,
		"may read or write past the end of the packet",
		"compare the offset with the packet's end before the access"),
	message(`invalid access to map value, value_size=(\d+) off=(-?\d+) size=(\d+)`,
		"accesses $3 bytes at offset $2 of a map value of $1 bytes",
		"check the index against the length first; it must be provably below it"),
	message(`R\d+ unbounded memory access`,
		"uses an index that has no provable upper bound",
		"compare it with the length before use, or mask it"),
	message(`R\d+ min value is negative`,
		"uses an index that may be negative",
		"use an unsigned type or check that it is at least 0"),
	message(`R\d+ (max|min) value is outside of the (allowed|array) (memory )?range`,
		"uses an index that may be out of range",
		"check it against the length just before the access"),
	message(`invalid access to memory, mem_size=(\d+) off=(-?\d+) size=(\d+)`,
		"accesses $3 bytes at offset $2 of a block of $1 bytes",
		"check the offset against the size first"),
	message(`R\d+ invalid mem access '\w*_or_null(_)?'`,
		"uses a pointer that may be nil",
		"compare it with nil first"),
	message(`R\d+ pointer arithmetic on \w+_or_null prohibited`,
		"does arithmetic on a pointer that may be nil",
		"compare it with nil first"),
	message(`R\d+ invalid mem access '(scalar|inv)'`,
		"dereferences a value the verifier takes for a number, not a pointer",
		"memory of the kernel or of a process is read with the probe_read helpers; a pointer kept in memory as an integer is no longer one"),
	message(`R\d+ invalid mem access '(\w+)'`,
		"accesses memory through a pointer of kind $1, which does not allow it", ""),
	message(`invalid bpf_context access off=(\d+) size=(\d+)`,
		"accesses $2 bytes at offset $1 of the context, which this kind of program or this kernel does not offer", ""),
	message(`dereference of modified ctx ptr|dereference of modified ctx ptr R\d+`,
		"changes the context pointer before using it",
		"use constant field offsets from the unchanged context"),
	message(`invalid (indirect )?read from stack (R\d+ )?off (-?\d+)`,
		"reads stack memory that was never written, padding included",
		"set every byte of the variable before it is passed on"),
	message(`invalid (indirect )?(variable-offset )?(read|write|access) (from|to) stack`,
		"accesses the stack outside its variables or before writing them",
		"check the index, and set every byte before it is passed on"),
	message(`R(\d+) !read_ok`,
		"uses register $1 before it has a value",
		"on this path a variable was never set; calls destroy r1 to r5"),
	message(`misaligned (packet|value|stack|context) access`,
		"accesses the $1 at an address that is not a multiple of the size", ""),
	message(`cannot write into rdonly_|write into map forbidden|R\d+ cannot write into`,
		"writes to memory that is read-only for programs", ""),
	message(`leaks addr|R\d+ leaks addr`,
		"would show a kernel address to user space",
		"loading such a program takes CAP_PERFMON"),

	// Pointers.
	message(`R\d+ pointer arithmetic with (\S+) operator prohibited`,
		"does arithmetic ($1) on a pointer; only adding and subtracting numbers is allowed", ""),
	message(`R\d+ 32-bit pointer arithmetic prohibited`,
		"does arithmetic on a pointer in 32 bits, which cuts it off",
		"use 64-bit integers with pointers"),
	message(`R\d+ pointer ([+|-]=) pointer prohibited`,
		"adds or subtracts two pointers", ""),
	message(`R\d+ pointer comparison prohibited`,
		"compares two pointers of different kinds", ""),
	message(`math between \w+ pointer and register with unbounded min value|math between .* unbounded`,
		"adds a number without provable bounds to a pointer",
		"check its range first"),
	message(`value -?\d+ makes \w+ pointer be out of bounds`,
		"moves a pointer far outside its memory", ""),
	message(`same insn cannot be used with different pointers`,
		"reaches one access with pointers of different kinds",
		"write the access once for each kind"),

	// Calls.
	message(`program of this type cannot use helper (\S+?)#\d+`,
		"calls $1, which this kind of program may not use", ""),
	message(`unknown func (\S+?)#\d+`,
		"calls $1, which this kernel or this kind of program has not got", ""),
	message(`invalid func unknown#`,
		"calls a helper that this kernel has not got", ""),
	message(`cannot call GPL-restricted function from non-GPL compatible program`,
		"calls a helper reserved for programs with a GPL-compatible license",
		`set the license, such as "Dual MIT/GPL"`),
	message(`R(\d) type=(\S+) expected=(.+)`,
		"passes a $2 as argument $1 of a call that expects $3", ""),
	message(`R\d+ (min|max) value is (negative|outside|unbounded).*(memory|var&=const)|R\d+ unbounded memory access, use 'var &= const'`,
		"passes a length without a provable range to a helper",
		"check that it is above 0 and at most the buffer's size"),
	message(`R\d+ invalid zero-sized read`,
		"may pass the length 0 to a helper that needs at least 1",
		"check that it is above 0"),
	message(`cannot pass map_type \d+ into func (\S+?)#\d+`,
		"passes a map of the wrong type to $1", ""),
	message(`kernel function (\S+) (is not allowed|args#\d+)`,
		"calls the kernel function $1 in a way that is not allowed", ""),
	message(`calling kernel function (\S+) is not allowed`,
		"calls the kernel function $1, which this kind of program may not use", ""),

	// References.
	message(`Unreleased reference id=\d+ alloc_insn=(?P<insn>\d+)`,
		"takes a reference (ring buffer record, socket) and does not give it back on every path",
		"submit, discard or release it before each return"),
	message(`BPF_EXIT instruction .*would lead to reference leak|reference has not been acquired before`,
		"takes a reference and does not give it back on every path",
		"submit, discard or release it before each return"),
	message(`function calls are not allowed while holding a lock|BPF_EXIT instruction .*(bpf_spin_lock|lock)`,
		"calls or returns while it holds a spin lock",
		"unlock first"),

	// Control flow.
	message(`infinite loop detected at insn (?P<insn>\d+)`,
		"has a loop that may never end",
		"every iteration must change a variable that the loop condition checks; or let the kernel end it with --bound"),
	message(`back-edge from insn (?P<insn>\d+) to \d+`,
		"has a loop, which this kernel does not allow here", ""),
	message(`unreachable insn (?P<insn>\d+)`,
		"has code that no path reaches", ""),
	message(`jump out of range from insn (?P<insn>\d+)`,
		"jumps out of its function", ""),
	message(`BPF program is too large. Processed (\d+) insn`,
		"is too complex: the verifier gave up after $1 instructions",
		"fewer paths: shorter loops, fewer branches in loops, less inlining; or let the kernel end loops with --bound"),
	message(`The sequence of (\d+) jumps is too complex`,
		"has too many branches in a row ($1)", ""),
	message(`combined stack size of (\d+) calls is (\d+)`,
		"needs $2 bytes of stack over $1 nested calls, 512 are allowed",
		"use smaller variables, or a per-CPU array for the large ones"),
	message(`the call stack of (\d+) frames is too deep`,
		"nests calls $1 deep, 8 are allowed", ""),
	message(`recursive call|the call (graph|chain) .*recurs`,
		"calls itself", ""),

	// Results and types.
	message(`At program exit the register R0 (?:has|is) .*should have been in (.+)`,
		"may return a value outside $1, the verdicts of its kind",
		"return one of the named verdicts on every path"),
	message(`number of funcs in func_info doesn't match number of subprogs`,
		"has broken function information",
		"the compiler that wrote the object is at fault"),
	message(`attach_btf_id|reference to (\S+) not found|invalid btf_id`,
		"is bound to a kernel function or type this kernel has not got", ""),
	message(`arg#\d+ reference type\('UNKNOWN ?'\)`,
		"has a parameter of a type the verifier does not know", ""),
}

// explained is a rule applied to a message.
type explained struct {
	sentence, hint string
	insn           int // -1: the rule knows no better one
}

// explainMessage applies the first rule that fits any line of the message;
// nil if none does.
func explainMessage(lines []string) *explained {
	for i := range rules {
		for _, line := range lines {
			if e := rules[i].explain(line); e != nil {
				return e
			}
		}
	}
	return nil
}

func (r *rule) explain(line string) *explained {
	at := r.pattern.FindStringSubmatchIndex(line)
	if at == nil {
		return nil
	}
	e := &explained{
		sentence: string(r.pattern.ExpandString(nil, r.sentence, line, at)),
		hint:     r.hint,
		insn:     -1,
	}
	if g := r.pattern.SubexpIndex("insn"); g > 0 {
		if n, err := strconv.Atoi(line[at[2*g]:at[2*g+1]]); err == nil {
			e.insn = n
		}
	}
	return e
}
