package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroups declares the flags of a command in named groups, which its help
// shows one by one.
type flagGroups struct {
	cmd    *cobra.Command
	titles []string
	sets   []*pflag.FlagSet
}

// add begins a group.
func (g *flagGroups) add(title string) *pflag.FlagSet {
	set := pflag.NewFlagSet(title, pflag.ContinueOnError)
	set.SortFlags = false
	g.titles = append(g.titles, title)
	g.sets = append(g.sets, set)
	return set
}

// done gives the flags to the command. Requires: all are declared.
func (g *flagGroups) done() {
	for i, set := range g.sets {
		set.VisitAll(func(f *pflag.Flag) { _ = set.SetAnnotation(f.Name, manGroup, g.titles[i:i+1]) })
		g.cmd.Flags().AddFlagSet(set)
	}
	g.cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprint(cmd.OutOrStderr(), g.usage(helpWidth()))
		return err
	})
}

// helpWidth is the width of the help of flags, in columns: that of the terminal
// that standard output is, within reason.
func helpWidth() int { return max(40, min(columnsOf(os.Stdout), 100)) }

// usage is the part of the help that describes flags, in so many columns.
func (g *flagGroups) usage(columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", g.cmd.UseLine())
	if g.cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", g.cmd.Example)
	}
	for i, set := range g.sets {
		fmt.Fprintf(&b, "\n%s:\n%s", g.titles[i], set.FlagUsagesWrapped(columns))
	}
	return b.String()
}
