//! How far a command is, on standard error: a bar on a terminal, else a line now and then.

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// How far one command is through records. Gone when dropped.
pub(super) struct Progress {
    what: &'static str,
    bar: ProgressBar,
    /// When the next line is due, where there is no terminal.
    next_line: Option<Instant>,
}

impl Progress {
    /// Of `records` in all, to which `what` is done.
    pub(super) fn new(what: &'static str, records: u64) -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {bar:40} {human_pos} of {human_len} records, {eta} left",
        );
        let bar = ProgressBar::new(records);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        let lines = !io::stderr().is_terminal();
        Self {
            what,
            bar,
            next_line: lines.then(|| Instant::now() + LINE_EVERY),
        }
    }

    /// So many more are done.
    pub(super) fn add(&mut self, records: u64) {
        self.bar.inc(records);
        let now = Instant::now();
        if self.next_line.is_some_and(|next| now >= next) {
            self.next_line = Some(now + LINE_EVERY);
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            let (what, done, all) = (self.what, HumanCount(done), HumanCount(all));
            eprintln!("{what} {done} of {all} records");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
