package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/compile"
)

// subject is a kernel package.
type subject struct {
	dir  string
	c    string   // its twin in C, if it has one
	call []string // a function to call, and its arguments, if it has one
}

var subjects = []subject{
	{"bench/codegen/twins/counter", "bench/codegen/c/counter.c", nil},
	{"bench/codegen/twins/mix", "bench/codegen/c/mix.c", []string{"mix", "1", "2", "3"}},
	{"examples/httptrace/kern", "bench/codegen/c/httptrace.c", nil},
	{"httpwatch/kern", "", nil},
}

// tools are the waggle binary and a directory for what is made.
type tools struct{ waggle, out string }

// way is a way to make a program of its source.
type way struct {
	name string
	// of returns what is timed; nil if the subject can't go that way.
	of func(subject, tools) task
}

type task func(context.Context) error

const (
	inProcess = iota
	build
	clang
	verify
	call
)

var ways = [...]way{
	inProcess: {"in process", func(s subject, _ tools) task {
		return func(ctx context.Context) error {
			_, err := compile.Compile(ctx, compile.Config{Dir: s.dir})
			return err
		}
	}},
	build: {"waggle build", func(s subject, t tools) task {
		return command(t.waggle, "build", s.dir, "-o", filepath.Join(t.out, "go.o"))
	}},
	clang: {"clang", func(s subject, t tools) task {
		if s.c == "" {
			return nil
		}
		return command("clang", "-O2", "-g", "-mcpu=v3", "-target", "bpf", "-Wno-everything",
			"-I/usr/include/x86_64-linux-gnu", "-I/usr/include/aarch64-linux-gnu",
			"-c", s.c, "-o", filepath.Join(t.out, "c.o"))
	}},
	verify: {"waggle verify", func(s subject, t tools) task { return command(t.waggle, "verify", s.dir) }},
	call: {"waggle exec", func(s subject, t tools) task {
		if s.call == nil {
			return nil
		}
		return command(append([]string{t.waggle, "exec", s.dir}, s.call...)...)
	}},
}

func command(args ...string) task {
	return func(ctx context.Context) error {
		if msg, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("run %q: %w\n%s", args, err, msg)
		}
		return nil
	}
}

// row is what each way takes with a subject, in milliseconds; 0 if it does not
// apply.
type row [len(ways)]float64

// measure times every way with every subject, in turn. The first round warms up
// and does not count.
func measure(ctx context.Context, t tools, rounds int) ([]row, error) {
	all := make([][len(ways)][]float64, len(subjects))
	for round := range rounds + 1 {
		for i, s := range subjects {
			for j, w := range ways {
				do := w.of(s, t)
				if do == nil {
					continue
				}
				start := time.Now()
				if err := do(ctx); err != nil {
					return nil, err
				}
				if round > 0 {
					all[i][j] = append(all[i][j], time.Since(start).Seconds()*1000)
				}
			}
		}
	}
	rows := make([]row, len(subjects))
	for i := range rows {
		for j, times := range all[i] {
			if len(times) > 0 {
				slices.Sort(times)
				rows[i][j] = times[len(times)/2]
			}
		}
	}
	return rows, nil
}
