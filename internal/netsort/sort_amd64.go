//go:build !safe

package netsort

import "golang.org/x/sys/cpu"

//go:generate sh -c "go run generate.go > sort_amd64.s"

// wide says that the CPU, and the operating system, have AVX-512.
var wide = cpu.X86.HasAVX512F

// sort64 and sort128 sort ascending. They require wide.
//
//go:noescape
func sort64(v *[64]uint64)

//go:noescape
func sort128(v *[128]uint64)
