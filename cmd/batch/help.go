package main

import (
	"fmt"
	"slices"
	"strings"

	"pcapbatch/internal/writer"

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
		set.VisitAll(g.complete)
	}
	g.cmd.SetUsageFunc(func(cmd *cobra.Command) error {
		fmt.Fprint(cmd.OutOrStderr(), g.usage())
		return nil
	})
}

// complete tells shells the values of a flag that has a few.
func (g *flagGroups) complete(f *pflag.Flag) {
	if c, ok := f.Value.(*choice); ok {
		list := slices.DeleteFunc(slices.Clone(c.words), func(w string) bool { return w == "" })
		_ = g.cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp))
	} else if w, ok := f.Value.(*words); ok {
		_ = g.cmd.RegisterFlagCompletionFunc(f.Name, completeList(w.known))
	} else if f.Name == "features" {
		var groups []string
		for _, group := range append(writer.FeatureGroups(), writer.All) {
			groups = append(groups, string(group))
		}
		_ = g.cmd.RegisterFlagCompletionFunc(f.Name, completeList(groups))
	}
}

// completeList completes the last word of a list with commas.
func completeList(known []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var list []cobra.Completion
		for _, word := range known {
			if !slices.Contains(strings.Split(before, ","), word) {
				list = append(list, before+word)
			}
		}
		return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

func (g *flagGroups) usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", g.cmd.UseLine())
	if g.cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", g.cmd.Example)
	}
	for i, set := range g.sets {
		fmt.Fprintf(&b, "\n%s:\n%s", g.titles[i], set.FlagUsagesWrapped(100))
	}
	return b.String()
}
