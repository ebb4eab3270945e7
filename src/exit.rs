//! How the process ends when it cannot go on: an exit code for scripts and a sentence for people.
//!
//! The codes are those of `sysexits.h` where it has one; 2 (usage) comes from the argument parser.

use std::process::ExitCode;

const HELD: u8 = 75;

/// Why a command ended without doing what it was asked. Displays as the sentence alone.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Exit {
    code: u8,
    why: String,
}

impl Exit {
    /// 1: something failed while running.
    pub fn runtime(why: impl Into<String>) -> Self {
        Self::new(1, why)
    }

    /// 65: data that was handed in is bad (a rules file, a replay file).
    pub fn data(why: impl Into<String>) -> Self {
        Self::new(65, why)
    }

    /// 69: something that this command depends on does not answer.
    pub fn dependency(why: impl Into<String>) -> Self {
        Self::new(69, why)
    }

    /// 75: another process holds what this one needs; later may be better.
    pub fn held(why: impl Into<String>) -> Self {
        Self::new(HELD, why)
    }

    /// 78: a setting cannot be used.
    pub fn settings(why: impl Into<String>) -> Self {
        Self::new(78, why)
    }

    /// The same, with more to say to whom another process stands in the way.
    #[must_use]
    pub fn with_if_held(mut self, more: &str) -> Self {
        if self.code == HELD {
            self.why.push_str(more);
        }
        self
    }

    /// The code that the shell sees.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    fn new(code: u8, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
        }
    }
}
