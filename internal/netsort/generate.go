//go:build ignore

// This program writes sort_amd64.s: go run generate.go > sort_amd64.s
package main

import (
	"fmt"
	"strings"
)

// lanes is how many numbers a register holds.
const lanes = 8

// A program sorts rows * lanes numbers, each row in a register. While it is
// made, number i of the sorted order to be is lane i / rows of row i % rows: so
// most steps compare whole rows.
type program struct {
	rows int
	reg  []int // the register of each row
	free []int // registers
	text strings.Builder
}

func (p *program) emit(format string, args ...any) { fmt.Fprintf(&p.text, "\t"+format+"\n", args...) }

func (p *program) take() int {
	r := p.free[0]
	p.free = p.free[1:]
	return r
}

func (p *program) give(r ...int) { p.free = append(p.free, r...) }

// compare leaves the smaller numbers in row a and the larger ones in row b.
func (p *program) compare(a, b int) {
	x, y, least := p.reg[a], p.reg[b], p.take()
	p.emit("VPMINUQ Z%d, Z%d, Z%d", y, x, least)
	p.emit("VPMAXUQ Z%d, Z%d, Z%d", y, x, y)
	p.reg[a] = least
	p.give(x)
}

// An exchange moves the numbers of a row between the lanes that differ by the
// bits of distance. In the lanes that have the highest of them, which are in
// the mask register, the larger numbers stay.
type exchange struct {
	distance int
	mask     string
	move     string // instruction, and its first operands
}

var exchanges = map[int]exchange{
	1: {1, "K1", "VPSHUFD $0x4e, "},
	2: {2, "K2", "VPERMQ $0x4e, "},
	3: {3, "K2", "VPERMQ $0x1b, "},
	7: {7, "K3", ""},
}

func (p *program) move(e exchange, from, to int) {
	if e.distance == 7 {
		p.emit("VPERMQ Z%d, Z31, Z%d", from, to)
		return
	}
	p.emit("%sZ%d, Z%d", e.move, from, to)
}

// mirror begins a merge of sorted lists: it compares each number of the one
// with its mirror image in the other.
func (p *program) mirror(e exchange) {
	for a := range p.rows / 2 {
		b := p.rows - 1 - a
		x, y, least, most := p.reg[a], p.reg[b], p.take(), p.take()
		p.move(e, y, most)
		p.emit("VPMINUQ Z%d, Z%d, Z%d", most, x, least)
		p.emit("VPMAXUQ Z%d, Z%d, Z%d", most, x, most)
		p.emit("VPBLENDMQ Z%d, Z%d, %s, Z%d", most, least, e.mask, x)
		p.emit("VPBLENDMQ Z%d, Z%d, %s, Z%d", least, most, e.mask, y)
		p.move(e, y, least)
		p.reg[b] = least
		p.give(most, y)
	}
}

// across compares numbers of one row.
func (p *program) across(e exchange) {
	for a := range p.rows {
		x, other, least := p.reg[a], p.take(), p.take()
		p.move(e, x, other)
		p.emit("VPMINUQ Z%d, Z%d, Z%d", other, x, least)
		p.emit("VPMAXUQ Z%d, Z%d, %s, Z%d", other, x, e.mask, least)
		p.reg[a] = least
		p.give(x, other)
	}
}

// down ends a merge: it compares rows.
func (p *program) down() {
	for d := p.rows / 2; d > 0; d /= 2 {
		for a := range p.rows {
			if a&d == 0 {
				p.compare(a, a+d)
			}
		}
	}
}

// columns are sorting networks with the fewest comparators known (Knuth, The
// Art of Computer Programming, volume 3, section 5.3.4), for all lanes side by
// side.
var columns = map[int][][2]int{
	8: {
		{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6}, {3, 7}, {0, 1}, {2, 3}, {4, 5}, {6, 7},
		{2, 4}, {3, 5}, {1, 4}, {3, 6}, {1, 2}, {3, 4}, {5, 6},
	},
	16: {
		{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}, {12, 13}, {14, 15},
		{0, 2}, {4, 6}, {8, 10}, {12, 14}, {1, 3}, {5, 7}, {9, 11}, {13, 15},
		{0, 4}, {8, 12}, {1, 5}, {9, 13}, {2, 6}, {10, 14}, {3, 7}, {11, 15},
		{0, 8}, {1, 9}, {2, 10}, {3, 11}, {4, 12}, {5, 13}, {6, 14}, {7, 15},
		{5, 10}, {6, 9}, {3, 12}, {13, 14}, {4, 8}, {7, 11}, {1, 2},
		{1, 4}, {7, 13}, {2, 8}, {11, 14}, {2, 4}, {5, 6}, {9, 10}, {11, 13}, {3, 8}, {7, 12},
		{6, 8}, {10, 12}, {3, 5}, {7, 9}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}, {6, 7}, {8, 9},
	},
}

// store writes eight rows to memory in the order of the numbers: it transposes
// them, and lane l goes to where its numbers begin.
func (p *program) store(first int) {
	pairs := [2][4]int{} // of rows; the even lanes, and the odd ones
	for i := range 4 {
		x, y := p.reg[first+2*i], p.reg[first+2*i+1]
		even, odd := p.take(), p.take()
		p.emit("VPUNPCKLQDQ Z%d, Z%d, Z%d", y, x, even)
		p.emit("VPUNPCKHQDQ Z%d, Z%d, Z%d", y, x, odd)
		pairs[0][i], pairs[1][i] = even, odd
		p.give(x, y)
	}
	for parity, q := range pairs {
		var quads [2][2]int // of rows 0 to 3 and 4 to 7; of lanes 0 and 4, and of 2 and 6
		for half := range 2 {
			for k, pick := range []int{0x88, 0xdd} {
				quads[half][k] = p.take()
				p.emit("VSHUFI64X2 $%#x, Z%d, Z%d, Z%d", pick, q[2*half+1], q[2*half], quads[half][k])
			}
			p.give(q[2*half], q[2*half+1])
		}
		for k := range 2 {
			for high, pick := range []int{0x88, 0xdd} {
				all := p.take()
				p.emit("VSHUFI64X2 $%#x, Z%d, Z%d, Z%d", pick, quads[1][k], quads[0][k], all)
				lane := parity + 2*k + 4*high
				p.emit("VMOVDQU64 Z%d, %d(DI)", all, 8*(lane*p.rows+first))
				p.give(all)
			}
			p.give(quads[0][k], quads[1][k])
		}
	}
}

func (p *program) make() {
	for r := range p.rows {
		p.reg = append(p.reg, r)
	}
	for r := p.rows; r < 31; r++ {
		p.free = append(p.free, r)
	}
	p.emit("MOVQ v+0(FP), DI")
	for k, mask := range []int{0xaa, 0xcc, 0xf0} {
		p.emit("MOVL $%#x, AX", mask)
		p.emit("KMOVW AX, K%d", k+1)
	}
	p.emit("VMOVDQU64 backwards<>(SB), Z31")
	for r := range p.rows {
		p.emit("VMOVDQU64 %d(DI), Z%d", 8*lanes*r, r)
	}
	for _, c := range columns[p.rows] {
		p.compare(c[0], c[1])
	}
	p.mirror(exchanges[1])
	p.down()
	p.mirror(exchanges[3])
	p.across(exchanges[1])
	p.down()
	p.mirror(exchanges[7])
	p.across(exchanges[2])
	p.across(exchanges[1])
	p.down()
	for first := 0; first < p.rows; first += 8 {
		p.store(first)
	}
	p.emit("VZEROUPPER")
	p.emit("RET")
}

func main() {
	fmt.Println(`// Code generated by generate.go. DO NOT EDIT.

//go:build !safe

#include "textflag.h"
`)
	for i := range lanes {
		fmt.Printf("DATA backwards<>+%d(SB)/8, $%d\n", 8*i, lanes-1-i)
	}
	fmt.Printf("GLOBL backwards<>(SB), RODATA|NOPTR, $%d\n", 8*lanes)
	for _, rows := range []int{8, 16} {
		p := &program{rows: rows}
		p.make()
		fmt.Printf("\n// func sort%[1]d(v *[%[1]d]uint64)\nTEXT ·sort%[1]d(SB), NOSPLIT, $0-8\n%[2]s", rows*lanes, p.text.String())
	}
}
