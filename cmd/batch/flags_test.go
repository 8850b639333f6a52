package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The table of docs/flags.md has every flag of every command, and no other.
func TestFlagTable(t *testing.T) {
	table := map[string][]string{}
	name := regexp.MustCompile("`--([a-z-]+)`")
	for line := range strings.Lines(string(read(t, "../../docs/flags.md"))) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			if table[m[1]] != nil {
				t.Errorf("--%s is there twice", m[1])
			}
			table[m[1]] = strings.Split(strings.TrimSpace(cells[2]), ", ")
		}
	}
	flags := map[string][]string{}
	for _, cmd := range newRoot(&env{}).Commands() {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && cmd.Name() != "completion" {
				flags[f.Name] = append(flags[f.Name], cmd.Name())
			}
		})
	}
	for flag, commands := range flags {
		slices.Sort(commands)
		if !slices.Equal(table[flag], commands) {
			t.Errorf("--%s is a flag of %v; docs/flags.md says %v", flag, commands, table[flag])
		}
	}
	for flag := range table {
		if flags[flag] == nil {
			t.Errorf("docs/flags.md has --%s, which no command has", flag)
		}
	}
}
