package helper_test

import (
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/helper"
)

func TestNative(t *testing.T) {
	k := bpftest.New(t)
	k.SetTask(bpftest.Task{PID: 7, TID: 8})
	if got := helper.GetCurrentPidTgid(); got != 7<<32|8 {
		t.Errorf("GetCurrentPidTgid: %#x", got)
	}
	if helper.KtimeGetNS() != k.Now() {
		t.Error("KtimeGetNS is not the kernel's clock")
	}
	defer func() {
		if msg, _ := recover().(string); !strings.Contains(msg, "no model of helper.SkbECNSetCe") {
			t.Errorf("panic %q", msg)
		}
	}()
	helper.SkbECNSetCe(nil)
	t.Error("a helper without a model returned")
}
