package durable

import (
	"errors"
	"testing"
)

func TestLock(t *testing.T) {
	dir := t.TempDir()
	l, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	l.Close()
	l, err = LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
