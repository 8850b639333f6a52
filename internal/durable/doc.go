// Package durable writes files that are complete or not there at all.
//
// A Pending is a file being written under a temporary name; it is renamed when
// it is complete. Its lock tells Sweep, which removes what killed processes
// left behind, that its writer is alive. LockDir reserves a directory for one
// process. FS is the file system as the program uses it; tests replace it by
// one that fails.
//
// Packages runfile and job and the command write through this package. A
// Pending or a Lock belongs to one goroutine; the functions may be called from
// any. Nothing here starts goroutines, buffers what it writes, looks into
// files, or creates directories.
package durable
