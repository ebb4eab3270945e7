package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"treasurehunt.example/go-compat/legacy/replay"
	"treasurehunt.example/go-compat/services/program"
)

func replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "replay FILE",
		Short: "Plays a file of stamped commands and writes what became of them",
		Long: `Plays the hunt of a replay file (length-delimited Record messages) and writes the
same records to standard output, each with its outcome, sequence, epoch and
digest. "player-state replay" writes the same bytes. FILE may be - for standard
input. Exit code 65 says that the file is wrong, with the number of the record.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return replayFile(args[0], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

func replayFile(path string, stdin io.Reader, out io.Writer) error {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return program.Exit(program.ExitData, "%w", err)
		}
		defer file.Close()
		in = file
	}
	err := replay.Run(in, out)
	var wrong *replay.DataError
	if errors.As(err, &wrong) {
		return program.Exit(program.ExitData, "%s: %w", path, err)
	}
	return err
}
