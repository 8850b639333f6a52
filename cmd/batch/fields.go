package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
	"pcapbatch/internal/writer"
)

func newFields(e *env) *cobra.Command {
	var asJSON, asMarkdown bool
	var schema *choice
	cmd := &cobra.Command{
		Use:     "fields [flags]",
		GroupID: "about",
		Short:   "Say what the columns mean",
		Long: `Prints the data dictionary: every column that batch extract can write, in the
order of a row, with its type, unit, group, definition and how exact it is.

A column of type integer never has a point, one of type decimal always has.
The columns of the group identity are always written, those of the group vlan
with --key vlan, capture with --key capture, label with --labels, and the others
as --features selects. In a name, Q stands for a percentage of --quantiles and i
for the number of a packet of --sequence.

` + exitHelp,
		Example: `  batch fields
  batch fields --json | jq -r '.[] | select(.group == "basic") | .name'
  batch fields --markdown > columns.md`,
		Args: takes(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			format := fieldsText
			switch columns := columnsOf(e.out); {
			case !asJSON && !asMarkdown && isTerminal(e.out) && columns < widestField:
				format = func(list []writer.Column) string { return fieldsBlocks(list, columns) }
			case asJSON:
				format = fieldsJSON
			case asMarkdown:
				format = fieldsMarkdown
			}
			columns := writer.Dictionary()
			if schema.value != "" {
				var err error
				if columns, err = writer.SchemaColumns(schema.value); err != nil {
					return usageError("--schema: %w", err)
				}
			}
			_, err := fmt.Fprint(e.out, format(columns))
			return printed(err)
		},
	}
	groups := flagGroups{cmd: cmd}
	schema = registerSchema(groups.add("Columns"), "the columns of another `PROGRAM`: ")
	out := groups.add("Output")
	out.BoolVar(&asJSON, "json", false, "print a JSON array with one object a column")
	out.BoolVar(&asMarkdown, "markdown", false, "print a Markdown table")
	groups.done()
	cmd.MarkFlagsMutuallyExclusive("json", "markdown")
	return cmd
}

// fieldsText returns a table aligned with spaces. Many columns share the
// sentence that says how exact they are, so the table has its number.
func fieldsText(columns []writer.Column) string {
	var b strings.Builder
	var sentences []string
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COLUMN\tTYPE\tUNIT\tGROUP\tEXACT\tDEFINITION")
	for _, c := range columns {
		n := slices.Index(sentences, c.Exactness)
		if n < 0 {
			n = len(sentences)
			sentences = append(sentences, c.Exactness)
		}
		unit := c.Unit
		if unit == "" {
			unit = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t[%d]\t%s\n", c.Name, c.Type, unit, c.Group, n+1, c.Definition)
	}
	t.Flush() // a strings.Builder never fails
	b.WriteString("\n")
	for i, s := range sentences {
		fmt.Fprintf(&b, "[%d] %s\n", i+1, s)
	}
	b.WriteString(parquetNote)
	return b.String()
}

// widestField is the width of a terminal from which on most lines of fieldsText
// fit into it.
const widestField = 180

// fieldsBlocks returns what fieldsText does for a terminal of so many columns,
// with the definition of each column in lines below its name.
func fieldsBlocks(columns []writer.Column, width int) string {
	var b strings.Builder
	for _, c := range columns {
		about := []string{string(c.Type)}
		if c.Unit != "" {
			about = append(about, c.Unit)
		}
		fmt.Fprintf(&b, "%s (%s; %s)\n", c.Name, strings.Join(about, ", "), c.Group)
		at := 0
		for _, word := range strings.Fields(c.Definition + "; " + c.Exactness) {
			switch n := utf8.RuneCountInString(word); {
			case at > 0 && at+1+n < width:
				b.WriteString(" ")
				at += 1 + n
			case at > 0:
				b.WriteString("\n")
				fallthrough
			default:
				b.WriteString("    ")
				at = 4 + n
			}
			b.WriteString(word)
		}
		b.WriteString("\n")
	}
	return b.String() + parquetNote
}

// parquetNote says what the types are in Parquet.
const parquetNote = `
In Parquet, which is compressed with ` + job.ParquetCompression + `, a text is a string, an integer an
int64 (ports, VLAN ids and windows: uint16; protocol, TTL, ICMP type and code:
uint8) and a decimal a double; first_seen and last_seen are timestamps
(microseconds, UTC). What is undefined is null.
`

// A field is a column with its type in Parquet.
type field struct {
	writer.Column
	Parquet writer.Storage `json:"parquet"`
}

func fieldsJSON(columns []writer.Column) string {
	var fields []field
	for _, c := range columns {
		fields = append(fields, field{c, c.Storage()})
	}
	data, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		panic("fields: a column cannot be written as JSON: " + err.Error())
	}
	return string(data) + "\n"
}

func fieldsMarkdown(columns []writer.Column) string {
	var b strings.Builder
	b.WriteString("| column | type | unit | group | definition | exactness |\n|---|---|---|---|---|---|\n")
	for _, c := range columns {
		cells := []string{"`" + c.Name + "`", string(c.Type), c.Unit, string(c.Group), c.Definition, c.Exactness}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}
