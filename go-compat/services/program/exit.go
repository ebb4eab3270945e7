package program

import (
	"errors"
	"fmt"
	"io/fs"
)

// The exit codes of every program here, after sysexits.h where it has one.
const (
	ExitOK         = 0
	ExitFailure    = 1  // it ran, and failed
	ExitUsage      = 2  // the command line
	ExitData       = 65 // bad data in a file that it was given
	ExitDependency = 69 // something that it needs is not there
	ExitLocked     = 75 // a lock, a socket or a port is held by somebody else
	ExitSettings   = 78 // the settings, by file or environment
)

// ExitError is an error that decides the exit code.
type ExitError struct {
	Code int
	Err  error
}

// Exit makes an [ExitError]. The format is that of [fmt.Errorf].
func Exit(code int, format string, args ...any) error {
	return &ExitError{Code: code, Err: fmt.Errorf(format, args...)}
}

// Error implements error.
func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// FileExit is an error of a file or directory that a setting names: what is not
// there, or not ours to open, is of the settings; what is in it is bad data.
func FileExit(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return &ExitError{Code: ExitSettings, Err: err}
	}
	return &ExitError{Code: ExitData, Err: err}
}

// exitCode is the code that err ends a program with; otherwise says the code of
// an error that does not decide it.
func exitCode(err error, otherwise int) int {
	if err == nil {
		return ExitOK
	}
	var exit *ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	return otherwise
}
