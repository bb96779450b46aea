// Command compile measures how long compiling takes, and compares with clang.
//
//	go run ./bench/compile              # as root
//	go run ./bench/compile -rounds 21
//
// It prints, for each program, wall times in milliseconds:
//
//   - of compile.Compile in a process that has compiled before;
//   - of "waggle build" and of "clang -O2 -g" on the program's twin in C, whole
//     processes both, and their ratio;
//   - from source into the kernel: "waggle verify" compiles, loads all programs,
//     prints statistics and ends, "waggle exec" compiles a function, loads and
//     calls it, and prints its result.
//
// Rounds alternate between all of them; figures are medians.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	rounds := flag.Int("rounds", 11, "rounds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "compile:", err)
		os.Exit(1)
	}
}

// run builds waggle and measures with it.
func run(ctx context.Context, rounds int) error {
	dir, err := os.MkdirTemp("", "compile-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	waggle := filepath.Join(dir, "waggle")
	if msg, err := exec.CommandContext(ctx, "go", "build", "-o", waggle, "./cmd/waggle").CombinedOutput(); err != nil {
		return fmt.Errorf("build waggle: %w\n%s", err, msg)
	}
	times, err := measure(ctx, tools{waggle, dir}, rounds)
	if err != nil {
		return err
	}
	return print(times)
}
