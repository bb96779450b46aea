package load

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// lineOf finds the line of testdata/refused.c that holds the text behind the
// beginning of a function.
func lineOf(t *testing.T, function, text string) int {
	t.Helper()
	inside := false
	for i, line := range strings.Split(string(readFile(t, "testdata", "refused.c")), "\n") {
		inside = inside || strings.Contains(line, "int "+function+"(")
		if inside && strings.Contains(line, text) {
			return i + 1
		}
	}
	t.Fatalf("no %q in %s", text, function)
	return 0
}

// TestVerifierErrors loads programs that the verifier refuses. The text is
// that of the C line the error must point at.
func TestVerifierErrors(t *testing.T) {
	testkit.RequireRoot(t)
	o := openObject(t, "refused.o")
	for _, tt := range []struct{ program, function, text, sentence, hint string }{
		{"nil_pointer", "", "*v;", "uses a pointer that may be nil", "compare it with nil"},
		{"packet_end", "", "data[3]", "may read or write past the end of the packet", "compare the offset"},
		{"unbounded", "", "v[ctx", "uses an index that has no provable upper bound", "compare it with the length"},
		{"past_value", "", "v[12]", "accesses 1 bytes at offset 12 of a map value of 8 bytes", "check the index"},
		{"leaked", "", "bpf_ringbuf_reserve", "takes a reference (ring buffer record, socket) and does not give it back", "submit, discard or release"},
		{"endless", "", "i++", "has a loop that may never end", "every iteration"},
		{"context", "", "ctx + 100", "accesses 4 bytes at offset 100 of the context", ""},
		{"number", "", "rx_queue_index", "dereferences a value the verifier takes for a number", "probe_read"},
		{"verdict", "", "return 7", "may return a value outside", "named verdicts"},
		{"unset", "", "asm volatile", "uses register 8 before it has a value", "never set"},
		{"pointer_times", "", "* 3", "does arithmetic on a pointer in 32 bits", ""},
		{"wrong_helper", "", "bpf_xdp_adjust_head", "calls bpf_xdp_adjust_head, which this k", ""},
		{"called", "deep", "data[", "may read or write past the end of the packet", ""},
	} {
		t.Run(tt.program, func(t *testing.T) {
			_, err := o.Load(Options{Programs: []string{tt.program}})
			var e *VerifierError
			if !errors.As(err, &e) {
				t.Fatalf("no verifier error: %v", err)
			}
			function := tt.function
			if function == "" {
				function = tt.program
			}
			if want := lineOf(t, function, tt.text); filepath.Base(e.Pos.File) != "refused.c" || e.Pos.Line != want || e.Pos.Col == 0 {
				t.Errorf("position %v, want line %d", e.Pos, want)
			}
			if !strings.HasPrefix(e.Sentence, tt.sentence) || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("sentence %q, hint %q; want %q, %q", e.Sentence, e.Hint, tt.sentence, tt.hint)
			}
			if want := fmt.Sprintf("%v: program %s: %s", e.Pos, tt.program, e.Sentence); !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want %q", err, want)
			}
			if len(e.Log) < 3 || e.Message == "" {
				t.Errorf("log of %d lines, message %q", len(e.Log), e.Message)
			}
		})
	}
}

// TestVerifierTooComplex checks that a program that is too complex fails fast,
// without a log of hundreds of megabytes.
func TestVerifierTooComplex(t *testing.T) {
	testkit.RequireRoot(t)
	start := time.Now()
	_, err := openObject(t, "refused.o").Load(Options{Programs: []string{"too_complex"}})
	var e *VerifierError
	if !errors.As(err, &e) {
		t.Fatalf("no verifier error: %v", err)
	}
	if !strings.HasPrefix(e.Sentence, "is too complex: the verifier gave up after 1000001 instructions") &&
		!strings.HasPrefix(e.Sentence, "has too many branches in a row") {
		t.Errorf("sentence %q", e.Sentence)
	}
	if filepath.Base(e.Pos.File) != "refused.c" {
		t.Errorf("position %v", e.Pos)
	}
	if n := len(e.Log); n > 100 {
		t.Errorf("log of %d lines", n)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestVerifierStats(t *testing.T) {
	h := loadObject(t, openObject(t, "refused.o"), Options{Programs: []string{"good"}})
	s, err := h.VerifierStats("good")
	if err != nil {
		t.Fatal(err)
	}
	if s.Processed != 2 || s.StackDepth == "" {
		t.Errorf("stats %+v", s)
	}
	if _, err := h.VerifierStats("absent"); err == nil || !strings.Contains(err.Error(), `no program "absent"`) {
		t.Errorf("absent program: %v", err)
	}
}

func TestParseLog(t *testing.T) {
	log := `func#0 @0
0: R1=ctx() R10=fp0
; return data[3]; @ packet.go:12
0: (61) r1 = *(u32 *)(r1 +0)          ; R1=pkt(r=0)
; @ packet.go:0
17: (71) r0 = *(u8 *)(r1 +3)
invalid access to packet, off=3 size=1, R1(id=0,off=3,r=0)
R1 offset is outside of the packet
verification time 22 usec
stack depth 0+8
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`
	want := verifierLog{
		message: []string{"invalid access to packet, off=3 size=1, R1(id=0,off=3,r=0)", "R1 offset is outside of the packet"},
		insn:    17,
		comment: Pos{File: "packet.go", Line: 12},
	}
	if d := cmp.Diff(want, parseLog(strings.Split(log, "\n")), cmp.AllowUnexported(verifierLog{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestRules checks the sentences for messages that the other tests do not
// provoke, as kernels write them. Not one of them may be left to the raw text.
func TestRules(t *testing.T) {
	for _, tt := range []struct{ message, want string }{
		{"R0 invalid mem access 'map_value_or_null'", "uses a pointer that may be nil"},
		{"R1 pointer arithmetic on ringbuf_mem_or_null prohibited, null-check it first", "does arithmetic on a pointer that may be nil"},
		{"R6 invalid mem access 'inv'", "dereferences a value the verifier takes for a number"},
		{"R2 invalid mem access 'ctx'", "accesses memory through a pointer of kind ctx"},
		{"invalid indirect read from stack R2 off -8+4 size 8", "reads stack memory that was never written"},
		{"invalid read from stack off -16+0 size 8", "reads stack memory that was never written"},
		{"invalid access to memory, mem_size=8 off=8 size=1", "accesses 1 bytes at offset 8 of a block of 8 bytes"},
		{"R0 max value is outside of the allowed memory range", "uses an index that may be out of range"},
		{"R1 min value is negative, either use unsigned index or do a if (index >=0) check.", "uses an index that may be negative"},
		{"combined stack size of 2 calls is 544. Too large", "needs 544 bytes of stack over 2 nested calls"},
		{"back-edge from insn 7 to 3", "has a loop, which this kernel does not allow here"},
		{"unreachable insn 4", "has code that no path reaches"},
		{"R1 type=scalar expected=fp, pkt, map_value", "passes a scalar as argument 1 of a call that expects fp, pkt, map_value"},
		{"R0 pointer arithmetic with *= operator prohibited", "does arithmetic (*=) on a pointer"},
		{"cannot call GPL-restricted function from non-GPL compatible program", "calls a helper reserved for programs with a GPL-compatible license"},
		{"unknown func bpf_loop#181", "calls bpf_loop, which this kernel or this kind of program has not got"},
		{"At program exit the register R0 has unknown scalar value should have been in (0x0; 0x1)", "may return a value outside (0x0; 0x1)"},
		{"dereference of modified ctx ptr R1 off=4 disallowed", "changes the context pointer before using it"},
		{"cannot pass map_type 1 into func bpf_tail_call#12", "passes a map of the wrong type to bpf_tail_call"},
		{"misaligned packet access off 0+15+0 size 4", "accesses the packet at an address that is not a multiple of the size"},
		{"value -2147483648 makes pkt pointer be out of bounds", "moves a pointer far outside its memory"},
		{"The sequence of 8193 jumps is too complex.", "has too many branches in a row (8193)"},
		{"R2 invalid zero-sized read: u64=[0,4]", "may pass the length 0"},
	} {
		e := explainMessage([]string{tt.message})
		if e == nil || !strings.HasPrefix(e.sentence, tt.want) {
			t.Errorf("%q: %+v, want %q", tt.message, e, tt.want)
		}
	}
}
