package durable

import "testing"

// The parts of an object's name are taken as they are; those of a path as
// package filepath takes them.
func TestObjectNames(t *testing.T) {
	for _, c := range []struct{ name, dir, base string }{
		{"s3://b/a/x.run", "s3://b/a", "x.run"},
		{"s3://b/a//x", "s3://b/a/", "x"},
		{"s3://b/a/../x y%20#?", "s3://b/a/..", "x y%20#?"},
		{"s3://b/x", "s3://b", "x"},
		{"s3://b", "s3://", "b"},
		{"a//b/../x", "a", "x"},
		{"./s3://b/x", "s3:/b", "x"},
	} {
		if dir, base := Dir(c.name), Base(c.name); dir != c.dir || base != c.base {
			t.Errorf("%s: %q and %q", c.name, dir, base)
		}
	}
	for _, c := range [][3]string{
		{"s3://b", "x", "s3://b/x"}, {"s3://b/d/", "x", "s3://b/d/x"}, {"s3://b/a//", "x", "s3://b/a//x"},
		{"s3://b/..", "x", "s3://b/../x"}, {"a/../b/", "x", "b/x"}, {"s3://b/d", "", "s3://b/d/"},
	} {
		if got := Join(c[0], c[1]); got != c[2] {
			t.Errorf("%q and %q: %q", c[0], c[1], got)
		}
	}
}
