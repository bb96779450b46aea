//go:build linux

// Probe is what the tests of package vm run in a machine.
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
	switch os.Args[1] {
	case "load":
		load()
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "abort":
		signal.Reset()
		unix.Kill(os.Getpid(), unix.SIGKILL)
	case "panic":
		os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	case "hang":
		time.Sleep(time.Hour)
	case "env":
		wd, _ := os.Getwd()
		data, err := os.ReadFile(os.Args[2])
		fmt.Printf("%s %s %s%v\n", wd, os.Getenv("WAGGLE_PROBE"), data, err)
	case "flood":
		line := strings.Repeat("x", 99) + "\n"
		for range 2000 {
			fmt.Print(line)
		}
	}
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
