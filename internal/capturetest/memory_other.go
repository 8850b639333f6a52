//go:build !linux

package capturetest

// memoryDir is "": no directory is known whose files are in memory.
func memoryDir() string { return "" }
