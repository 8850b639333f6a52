package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version of the program, as CHANGELOG.md has it.
const release = "0.1.0-dev"

// commit is what make release builds, whose programs do not depend on the state
// of a clone; it is set by the linker.
var commit string

// version is the release, and the commit it was built from where the build
// knows it.
func version() string {
	if commit != "" {
		return release + "+" + commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}

// versionLine is what batch version prints.
func versionLine(name string) string {
	return fmt.Sprintf("%s %s (%s, %s/%s)\n", name, version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: "about",

		DisableFlagsInUseLine: true,
		Short:                 "Print the version, that of Go, and the platform",
		Args:                  takes(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(e.out, versionLine(e.name))
			return printed(err)
		},
	}
}

// printed is the error of a command that has printed to standard output.
func printed(err error) error {
	if err == nil {
		return nil
	}
	return outputError(err)
}
