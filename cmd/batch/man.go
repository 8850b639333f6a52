package main

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The annotations of flags that manual pages read.
const (
	// manGroup is the group of a flag.
	manGroup = "group"
	// manDefault says in words what a default is that depends on the machine.
	manDefault = "default"
)

// newMan is the command that the build makes the manual pages with. Help does
// not list it.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages of the program into a directory",
		Args:   takes(1, "the directory to write to"),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			day, err := manDay()
			if err != nil {
				return err
			}
			return writeManPages(cmd.Root(), args[0], day)
		},
	}
}

// manDay is the date on manual pages: that of SOURCE_DATE_EPOCH, in seconds
// since 1970, which the Reproducible Builds project has defined, or today.
func manDay() (string, error) {
	now := time.Now()
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", usageError("SOURCE_DATE_EPOCH: %q is not a number of seconds", text)
		}
		now = time.Unix(seconds, 0)
	}
	return now.UTC().Format(time.DateOnly), nil
}

// writeManPages writes a page for the program and one for each command below
// it, as git does: pcapbatch.1, pcapbatch-extract.1 and so on.
func writeManPages(root *cobra.Command, dir, day string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return outputError(err)
	}
	pages := append([]*cobra.Command{root}, manCommands(root)...)
	for _, cmd := range pages {
		if err := os.WriteFile(filepath.Join(dir, manName(cmd)+".1"), manPage(cmd, day), 0o666); err != nil {
			return outputError(err)
		}
	}
	return nil
}

// manCommands are the commands below cmd that have something to read about.
func manCommands(cmd *cobra.Command) (list []*cobra.Command) {
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && child.Name() != "help" {
			list = append(list, child)
		}
	}
	return list
}

// manName is the name of the page about cmd.
func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage returns the page about cmd in the macros of man(7).
func manPage(cmd *cobra.Command, day string) []byte {
	var p roff
	name := manName(cmd)
	p.title(strings.ToUpper(name), day, cmd.Root().Name()+" "+release)
	p.heading("SH", "NAME")
	p.line(literal(name) + ` \- ` + prose(cmd.Short))
	p.heading("SH", "SYNOPSIS")
	p.line(synopsis(cmd))
	p.heading("SH", "DESCRIPTION")
	description, status, _ := strings.Cut(cmp.Or(cmd.Long, cmd.Short+"."), "Exit status:")
	p.text(description)
	if children := manCommands(cmd); len(children) > 0 {
		p.heading("SH", "COMMANDS")
		for _, child := range children {
			p.entry(bold(child.Name()), prose(child.Short))
		}
	}
	p.options(cmd)
	if status != "" {
		p.heading("SH", "EXIT STATUS")
		p.text(status)
	}
	if cmd.HasExample() {
		p.heading("SH", "EXAMPLES")
		p.verbatim(strings.Split(cmd.Example, "\n"))
	}
	p.seeAlso(cmd)
	return p.page
}

// synopsis is the usage line of cmd, its placeholders in italics.
func synopsis(cmd *cobra.Command) string {
	line := bold(cmd.CommandPath())
	rest := strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())
	if len(manCommands(cmd)) > 0 {
		rest = " COMMAND [flags]" + strings.TrimSuffix(rest, " [flags]")
	}
	rest = strings.Replace(rest, "[flags]", "[OPTION ...]", 1)
	return line + placeholder.ReplaceAllStringFunc(literal(rest), italic)
}

var placeholder = regexp.MustCompile(`\b[A-Z]+\b`)

// options writes the flags of cmd, in their groups and the order of its help.
func (p *roff) options(cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	sorted := cmd.Flags().SortFlags
	cmd.Flags().SortFlags = false
	defer func() { cmd.Flags().SortFlags = sorted }()
	p.heading("SH", "OPTIONS")
	group := ""
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		own := f.Annotations[manGroup]
		if len(own) == 0 && group != "" {
			own = []string{"Help"} // what cobra adds behind the groups
		}
		if len(own) > 0 && own[0] != group {
			group = own[0]
			p.heading("SS", group)
		}
		p.option(f)
	})
}

// option writes one flag as its help has it.
func (p *roff) option(f *pflag.Flag) {
	shown := *f
	if words := f.Annotations[manDefault]; len(words) > 0 {
		shown.DefValue = words[0]
	}
	var one pflag.FlagSet
	one.AddFlag(&shown)
	left, right, _ := strings.Cut(strings.TrimSpace(one.FlagUsages()), "   ")
	words := strings.Split(left, " ")
	for i, word := range words {
		if name, comma := strings.CutSuffix(word, ","); strings.HasPrefix(word, "-") {
			words[i] = bold(name) + map[bool]string{true: ","}[comma]
		} else {
			words[i] = italic(literal(word))
		}
	}
	p.entry(strings.Join(words, " "), prose(strings.TrimSpace(right)))
}

// seeAlso names the other pages.
func (p *roff) seeAlso(cmd *cobra.Command) {
	var others []string
	for _, c := range append([]*cobra.Command{cmd.Root()}, manCommands(cmd.Root())...) {
		if c != cmd {
			others = append(others, manName(c))
		}
	}
	p.heading("SH", "SEE ALSO")
	for i, name := range others {
		if i < len(others)-1 {
			p.macro("BR", name, "(1),")
		} else {
			p.macro("BR", name, "(1)")
		}
	}
}
