package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// dialect is what the kinds of database do not say alike. All else is one text
// for both.
type dialect struct {
	// elements is the function that makes rows of a JSON list, each with a value.
	elements string
	// together has the rows of a table written as one JSON list. A database that is
	// reached by a call has that; one in this process is quicker row by row.
	together bool
	// isolation under which a transaction that has the lock sees all that was
	// committed before it got it.
	isolation sql.IsolationLevel
	// lock lets one transaction at a time write, over all processes; "": beginning
	// one does.
	lock string
	// schema makes the tables, and the mark that they are ours.
	schema string
	// identity tells what is there.
	identity func(ctx context.Context, tx *sql.Tx) (identity, error)
	// another is what to name instead of a database that is not ours.
	another string
}

// identity is whose tables are in a database, if any.
type identity struct {
	tables  int
	ours    bool
	version int // of the schema, if it is ours
}

const schemaVersion = 2

// begin begins the one transaction that writes.
func (d dialect) begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: d.isolation})
	if err != nil || d.lock == "" {
		return tx, err
	}
	if _, err := tx.ExecContext(ctx, d.lock); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// prepare makes the schema in an empty database, and refuses one that is not ours.
func (d dialect) prepare(ctx context.Context, db *sql.DB) error {
	tx, err := d.begin(ctx, db)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	is, err := d.identity(ctx, tx)
	if err != nil {
		return err
	}
	switch {
	case is.tables == 0:
		if _, err := tx.ExecContext(ctx, d.schema); err != nil {
			return err
		}
	case !is.ours:
		return fmt.Errorf("it is another program's database; name another %s", d.another)
	case is.version != schemaVersion:
		return fmt.Errorf("its schema is version %d and this build knows %d; use the build that wrote it, or name another %s",
			is.version, schemaVersion, d.another)
	}
	return tx.Commit()
}
