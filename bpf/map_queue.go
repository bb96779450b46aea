package bpf

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf/internal/sim"
)

// Queue is a first-in, first-out list of values.
type Queue[V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Push adds a value; E2BIG if the queue is full. With the flag Exist a full
// queue drops its oldest value instead.
//
//bpf:helper map_push_elem(m, &value, flags)
func (m *Queue[V]) Push(value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Queue.Push", sim.Queue, m.MaxEntries)
	return Errno(s.Push(unsafe.Pointer(&value), uint64(flags)))
}

// Pop moves the oldest value to *value; ENOENT if there is none.
//
//bpf:helper map_pop_elem(m, value)
func (m *Queue[V]) Pop(value *V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Queue.Pop", sim.Queue, m.MaxEntries)
	return Errno(s.Pop(unsafe.Pointer(value), true))
}

// Peek copies the oldest value to *value; ENOENT if there is none.
//
//bpf:helper map_peek_elem(m, value)
func (m *Queue[V]) Peek(value *V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Queue.Peek", sim.Queue, m.MaxEntries)
	return Errno(s.Pop(unsafe.Pointer(value), false))
}

// Stack is a last-in, first-out list of values.
type Stack[V any] struct {
	MaxEntries uint32
	Flags      MapFlags
	Pin        bool // keep it in the BPF file system under the variable's name
}

// Push adds a value; E2BIG if the stack is full. With the flag Exist a full
// stack drops its oldest value instead.
//
//bpf:helper map_push_elem(m, &value, flags)
func (m *Stack[V]) Push(value V, flags UpdateFlag) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Stack.Push", sim.Stack, m.MaxEntries)
	return Errno(s.Push(unsafe.Pointer(&value), uint64(flags)))
}

// Pop moves the newest value to *value; ENOENT if there is none.
//
//bpf:helper map_pop_elem(m, value)
func (m *Stack[V]) Pop(value *V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Stack.Pop", sim.Stack, m.MaxEntries)
	return Errno(s.Pop(unsafe.Pointer(value), true))
}

// Peek copies the newest value to *value; ENOENT if there is none.
//
//bpf:helper map_peek_elem(m, value)
func (m *Stack[V]) Peek(value *V) Errno {
	s := sim.Open[V](unsafe.Pointer(m), "Stack.Peek", sim.Stack, m.MaxEntries)
	return Errno(s.Pop(unsafe.Pointer(value), false))
}
