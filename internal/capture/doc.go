// Package capture finds captures, identifies them, tells whether one has
// changed, and puts them in capture order.
//
// It is step 1 of the walk from captures to the CSV: names that a user gave
// come in, paths go out (Find). An Identity is kept with the sessions of a
// capture, so that a later run can tell whether the capture is still the same.
// Callers are the command, packages ingest and job, and package runfile, which
// stores identities.
//
// The functions may be called from any goroutine and start none. They keep no
// files open and no more memory than the list of paths. The package never looks
// at the records of a capture, and Find opens no file.
package capture
