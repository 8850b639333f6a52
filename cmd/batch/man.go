package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan returns the command that packages make the pages of the manual with.
func newMan(e *env) *cobra.Command {
	return &cobra.Command{
		Use:    "man [COMMAND]",
		Short:  "Print the page of the manual about the program or a command",
		Hidden: true,
		Args:   cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usageError("no page about %q", strings.Join(args, " "))
			}
			_, err = io.WriteString(e.out, manPage(about))
			return printed(err)
		},
	}
}

// manPage returns the page about a command, in the macros of man(7).
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	root, name := cmd.Root(), pageName(cmd)
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s %s\" \"User commands\"\n", strings.ToUpper(roff(name)), root.Name(), release)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\n", roff(name), roff(cmd.Short), roff(cmd.UseLine()))
	if cmd.Long != "" {
		text, statuses, _ := strings.Cut(cmd.Long, "\n\nExit status:\n")
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", strings.ReplaceAll(roff(text), "\n\n", "\n.PP\n"))
		manOptions(&b, cmd)
		if statuses != "" {
			fmt.Fprintf(&b, ".SH EXIT STATUS\n.nf\n%s\n.fi\n", roff(statuses))
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	b.WriteString(".SH SEE ALSO\n")
	var others []string
	for _, other := range append([]*cobra.Command{root}, root.Commands()...) {
		if other != cmd && (other == root || other.RunE != nil && !other.Hidden) {
			others = append(others, fmt.Sprintf(".BR %s (1)", roff(pageName(other))))
		}
	}
	b.WriteString(strings.Join(others, ",\n") + "\n")
	return b.String()
}

func manOptions(b *strings.Builder, cmd *cobra.Command) {
	title := ".SH OPTIONS\n"
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		names := `\fB` + roff("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			names = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + names
		}
		if value != "" {
			names += ` \fI` + roff(value) + `\fR`
		}
		fmt.Fprintf(b, "%s.TP\n%s\n%s\n", title, names, roff(usage))
		title = ""
	})
}

// pageName is the name of the page about a command.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'")

// roff writes a text so that nothing in it is a macro.
func roff(text string) string { return strings.TrimPrefix(roffEscapes.Replace("\n"+text), "\n") }
