//go:build !safe

package netsort

import "golang.org/x/sys/cpu"

//go:generate sh -c "go run generate.go > sort_amd64.s"

// wide reports whether the CPU and the operating system support AVX512F, the
// part of AVX-512 that sort64 and sort128 use.
var wide = cpu.X86.HasAVX512F

// sort64 and sort128 sort ascending. Requires: wide.
//
//go:noescape
func sort64(v *[64]uint64)

//go:noescape
func sort128(v *[128]uint64)
