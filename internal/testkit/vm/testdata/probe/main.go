//go:build linux

// Probe is what the tests of package vm run in a machine: its arguments are things
// to do, one after the other.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

func main() {
	for _, arg := range os.Args[1:] {
		action, value, _ := strings.Cut(arg, "=")
		actions[action](value)
	}
}

var actions = map[string]func(value string){
	"load": func(string) { load() },
	"exit": func(code string) {
		n, _ := strconv.Atoi(code)
		os.Exit(n)
	},
	"abort": func(string) {
		signal.Reset()
		unix.Kill(os.Getpid(), unix.SIGKILL)
	},
	"panic": func(string) { os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0) },
	"hang":  func(string) { time.Sleep(time.Hour) },
	"env": func(file string) {
		wd, _ := os.Getwd()
		data, err := os.ReadFile(file)
		fmt.Printf("%s %s %s%v\n", wd, os.Getenv("WAGGLE_PROBE"), data, err)
	},
	"flood": func(string) {
		line := strings.Repeat("x", 99) + "\n"
		for range 2000 {
			fmt.Print(line)
		}
	},
}

// load prints the kernel's release and what a small XDP program returns.
func load() {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		panic(err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.XDP,
		License:      "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	if err != nil {
		panic(err)
	}
	ret, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil {
		panic(err)
	}
	fmt.Println(unix.ByteSliceToString(u.Release[:]), ret)
}
