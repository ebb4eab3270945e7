//! Reading a TOML table key by key, so that every complaint can say file, line and key.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::RulesetError;

/// The text of a ruleset file, for turning byte offsets into lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn error(
        &self,
        offset: usize,
        key: impl Into<String>,
        problem: impl Into<String>,
    ) -> RulesetError {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        RulesetError {
            file: self.file.to_owned(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            key: key.into(),
            problem: problem.into(),
        }
    }

    /// The document, or where and why it is no TOML.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'_>>, RulesetError> {
        DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let at = self.text.get(span.clone()).map_or("", str::trim);
            let is_key = !at.is_empty()
                && at
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let key = if is_key { at } else { "the file" };
            self.error(span.start, key, format!("no TOML: {}", error.message()))
        })
    }
}

/// A table whose keys are taken one by one; what is left over is unknown.
pub(super) struct Table<'a> {
    source: Source<'a>,
    offset: usize,
    entries: Vec<Entry<'a>>,
}

/// A key of a table, and its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    source: Source<'a>,
    key: &'a str,
    offset: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn new(source: Source<'a>, offset: usize, table: &'a DeTable<'a>) -> Self {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let text: &std::borrow::Cow<'a, str> = key.get_ref();
            Entry {
                source,
                key: text,
                offset: key.span().start,
                value: value.get_ref(),
            }
        };
        Self {
            source,
            offset,
            entries: table.iter().map(entry).collect(),
        }
    }

    /// Takes a key that may be absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry<'a>> {
        let found = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.swap_remove(found))
    }

    /// Takes a key that must be there.
    pub(super) fn need(&mut self, key: &str) -> Result<Entry<'a>, RulesetError> {
        self.take(key).ok_or_else(|| self.missing(key))
    }

    /// A complaint about a key that is not there.
    pub(super) fn missing(&self, key: &str) -> RulesetError {
        self.source.error(self.offset, key, "is missing")
    }

    /// Takes a whole number of 0..=`max`, 0 where it is absent.
    pub(super) fn number(&mut self, key: &str, max: u64) -> Result<u64, RulesetError> {
        self.take(key).map_or(Ok(0), |entry| entry.number(0, max))
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), RulesetError> {
        match self.entries.iter().min_by_key(|entry| entry.offset) {
            None => Ok(()),
            Some(unknown) => Err(unknown.error("is no known key here")),
        }
    }
}

impl<'a> Entry<'a> {
    pub(super) fn error(&self, problem: impl Into<String>) -> RulesetError {
        self.source.error(self.offset, self.key, problem)
    }

    fn wrong_type(&self, expected: &str) -> RulesetError {
        self.error(format!(
            "is {} {}, and must be {expected}",
            article(self.value),
            self.value.type_str()
        ))
    }

    pub(super) fn number(&self, min: u64, max: u64) -> Result<u64, RulesetError> {
        let DeValue::Integer(integer) = self.value else {
            return Err(self.wrong_type("a whole number"));
        };
        let written = integer.as_str();
        i128::from_str_radix(written, integer.radix())
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.error(format!("is {written}, and must be {min}..{max}")))
    }

    pub(super) fn text(&self) -> Result<&'a str, RulesetError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong_type("a string"))
    }

    pub(super) fn flag(&self) -> Result<bool, RulesetError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    /// An array of tables, of `min` to `max` of them.
    pub(super) fn tables(&self, min: usize, max: usize) -> Result<Vec<Table<'a>>, RulesetError> {
        let expected = "an array of tables";
        let array = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type(expected))?;
        if !(min..=max).contains(&array.len()) {
            return Err(self.error(format!(
                "has {} entries, and must have {min}..{max}",
                array.len()
            )));
        }
        let table = |item: &'a Spanned<DeValue<'a>>| {
            let table = item
                .get_ref()
                .as_table()
                .ok_or_else(|| self.wrong_type(expected))?;
            Ok(Table::new(self.source, item.span().start, table))
        };
        array.iter().map(table).collect()
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    if value.type_str().starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    }
}
