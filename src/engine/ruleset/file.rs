//! Reading a TOML table key by key, so that every complaint can say line and key.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Fault;

/// The text of a ruleset file, for turning byte offsets into lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a [u8]);

impl<'a> Source<'a> {
    pub(super) fn fault(
        &self,
        offset: usize,
        key: impl Into<String>,
        problem: impl Into<String>,
    ) -> Fault {
        let key: String = key.into();
        let before = &self.0[..offset.min(self.0.len())];
        Fault {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            key: cut(&key),
            problem: problem.into(),
        }
    }

    /// The file's text, or where it is none.
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.0)
            .map_err(|error| self.fault(error.valid_up_to(), "", "is no UTF-8"))
    }
}

/// The document, or where and why it is no TOML.
pub(super) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, Fault> {
    DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let at = text.get(span.clone()).map_or("", str::trim);
        let is_key = !at.is_empty()
            && at
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let key = if is_key { at } else { "" };
        Source(text.as_bytes()).fault(span.start, key, format!("no TOML: {}", error.message()))
    })
}

/// A table of the file.
pub(super) struct Table<'a> {
    source: Source<'a>,
    /// Its own, as `power_up[2]`; "" for the file's.
    path: String,
    offset: usize,
    entries: Vec<Entry<'a>>,
}

/// A key of a table, and its value.
pub(super) struct Entry<'a> {
    source: Source<'a>,
    name: &'a str,
    /// The key with the tables around it.
    path: String,
    offset: usize,
    value: &'a DeValue<'a>,
}

/// A piece of the file as complaints show it: it may be as long as the file.
pub(super) fn cut(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(
        source: Source<'a>,
        path: String,
        offset: usize,
        table: &'a DeTable<'a>,
    ) -> Self {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'a, str> = key.get_ref();
            Entry {
                source,
                name,
                path: join(&path, name),
                offset: key.span().start,
                value: value.get_ref(),
            }
        };
        let entries = table.iter().map(entry).collect();
        Self {
            source,
            path,
            offset,
            entries,
        }
    }

    /// A key that may be absent.
    pub(super) fn get(&self, name: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// A key that must be there.
    pub(super) fn need(&self, name: &str, expected: &str) -> Result<&Entry<'a>, Fault> {
        self.get(name).ok_or_else(|| self.missing(name, expected))
    }

    /// A complaint about a key that is not there.
    pub(super) fn missing(&self, name: &str, expected: &str) -> Fault {
        let problem = format!("is missing, and must be {expected}");
        self.source
            .fault(self.offset, join(&self.path, name), problem)
    }

    /// Complaints about the keys that are none of these.
    pub(super) fn unknown(&self, known: &[&str]) -> impl Iterator<Item = Fault> {
        let unknown = self
            .entries
            .iter()
            .filter(move |entry| !known.contains(&entry.name));
        unknown.map(move |entry| {
            entry.fault(format!("is no key here; there are {}", known.join(", ")))
        })
    }
}

impl<'a> Entry<'a> {
    pub(super) fn fault(&self, problem: impl Into<String>) -> Fault {
        self.source.fault(self.offset, &self.path, problem)
    }

    fn wrong_type(&self, expected: &str) -> Fault {
        self.fault(format!(
            "is {} {}, and must be {expected}",
            article(self.value),
            self.value.type_str()
        ))
    }

    pub(super) fn number(&self, min: u64, max: u64) -> Result<u64, Fault> {
        let DeValue::Integer(integer) = self.value else {
            return Err(self.wrong_type("a whole number"));
        };
        let written = integer.as_str();
        i128::from_str_radix(written, integer.radix())
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.fault(format!("is {}, and must be {min}..{max}", cut(written))))
    }

    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong_type("a string"))
    }

    pub(super) fn flag(&self) -> Result<bool, Fault> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    /// An array of tables, of `min` to `max` of them.
    pub(super) fn tables(&self, min: usize, max: usize) -> Result<Vec<Table<'a>>, Fault> {
        let expected = "an array of tables";
        let array = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type(expected))?;
        if !(min..=max).contains(&array.len()) {
            return Err(self.fault(format!(
                "has {} entries, and must have {min}..{max}",
                array.len()
            )));
        }
        let table = |(n, item): (usize, &'a Spanned<DeValue<'a>>)| {
            let table = item
                .get_ref()
                .as_table()
                .ok_or_else(|| self.wrong_type(expected))?;
            let path = format!("{}[{n}]", self.path);
            Ok(Table::new(self.source, path, item.span().start, table))
        };
        array.iter().enumerate().map(table).collect()
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    if value.type_str().starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    }
}
