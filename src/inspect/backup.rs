//! `journal backup` and `journal restore`.
//!
//! A backup is read again while it is written, so that one that was told as written is one that can be restored. What
//! is written stands under another name until it is whole: a crash leaves the old, or nothing.

use std::{
    fs::{self, File},
    io::{self, BufReader, IsTerminal as _, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};

use super::{Opened, damaged, progress::Progress};
use crate::{
    data_dir::{self, DataDir},
    exit::Exit,
    journal::{
        Backup, BackupError, Counts, Head, Part, Store, Unbuilt, Unsaved, put_in_place,
        write_backup,
    },
};

/// A process that sends nothing for so long is not waited for.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// What a refusal of the process may say, in bytes.
const REFUSAL_BYTES_MAX: u64 = 4096;

/// Where a backup is of.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// A data directory that no process holds.
    Dir(&'a Path),
    /// The admin port of the process that holds it.
    Admin(SocketAddr),
}

/// What a backup holds, and so what a journal that was restored from it does.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// What it has.
    #[serde(flatten)]
    pub counts: Counts,
    /// When the journal was as it is here.
    pub at: String,
}

impl Copied {
    fn of(head: &Head) -> Self {
        let at = UNIX_EPOCH + Duration::from_millis(head.at_ms);
        Self {
            counts: Counts::default(),
            at: humantime::format_rfc3339_seconds(at).to_string(),
        }
    }

    fn pass(&mut self, part: &Part, progress: &mut Progress) {
        self.counts.count(part);
        progress.add(u64::from(matches!(part, Part::Record(_))));
    }
}

/// Writes a backup to `file`, or to standard output.
///
/// # Errors
/// As [`super::verify`]; 69 if the process does not answer, 1 if the backup cannot be written.
pub fn backup(origin: Origin<'_>, file: Option<&Path>) -> Result<Copied, Exit> {
    let Some(file) = file else {
        let out = io::stdout();
        if out.is_terminal() {
            return Err(Exit::settings(
                "standard output is a terminal, and a backup is no text: name a --file, or a pipe",
            ));
        }
        return copy(origin, out.lock());
    };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = File::create(&part)
        .map_err(|err| unwritten(&part, &err))
        .and_then(|out| {
            let copied = copy(origin, &out)?;
            out.sync_all().map_err(|err| unwritten(&part, &err))?;
            Ok(copied)
        });
    match written {
        Ok(copied) => {
            put_in_place(&part, file).map_err(|err| unwritten(file, &err))?;
            Ok(copied)
        }
        Err(exit) => {
            // What cannot be removed is known by its name.
            let _ = fs::remove_file(&part);
            Err(exit)
        }
    }
}

fn copy(origin: Origin<'_>, mut out: impl Write) -> Result<Copied, Exit> {
    match origin {
        Origin::Dir(dir) => copy_dir(dir, out),
        Origin::Admin(addr) => {
            let sent = Sent::ask(addr)?;
            let tee = Tee {
                from: sent,
                to: &mut out,
            };
            let copied = copy_sent(tee).map_err(|why| {
                Exit::dependency(format!(
                    "{addr}: what it sent is no whole backup: {why}; its log says more"
                ))
            })?;
            let flushed = out.flush();
            flushed.map_err(|err| Exit::runtime(format!("the backup cannot be written: {err}")))?;
            Ok(copied)
        }
    }
}

fn copy_dir(dir: &Path, out: impl Write) -> Result<Copied, Exit> {
    let opened = Opened::open(dir).map_err(|exit| {
        exit.with_if_held("; or have it make the backup itself: journal backup --admin ADDR")
    })?;
    let contents = opened.store.contents().map_err(|why| damaged(dir, &why))?;
    let mut copied = Copied::of(&contents.head);
    let mut progress = Progress::new("saved", contents.head.records);
    let written = write_backup(contents, out, |part| copied.pass(part, &mut progress));
    written.map_err(|why| match why {
        Unsaved::Damage(why) => damaged(dir, &why),
        Unsaved::Write(_) => Exit::runtime(why.to_string()),
    })?;
    Ok(copied)
}

fn copy_sent(sent: impl Read) -> Result<Copied, BackupError> {
    let backup = Backup::open(sent)?;
    let mut copied = Copied::of(backup.head());
    let mut progress = Progress::new("saved", backup.head().records);
    for part in backup {
        copied.pass(&part?, &mut progress);
    }
    Ok(copied)
}

/// Makes the journal of `dir`, which has none, of the backup in `file`, or in standard input.
///
/// # Errors
/// 65 if the backup is not whole, and nothing is written then; 78 if there is a journal; 75 if a process holds the
/// directory; 1 if the journal cannot be written.
pub fn restore(dir: &Path, file: Option<&Path>) -> Result<Copied, Exit> {
    let (name, source): (_, Box<dyn Read>) = match file {
        Some(file) => {
            let opened = File::open(file);
            let opened =
                opened.map_err(|err| Exit::settings(format!("{}: {err}", file.display())))?;
            (file.display().to_string(), Box::new(opened))
        }
        None if io::stdin().is_terminal() => {
            return Err(Exit::settings(
                "standard input is a terminal: name a --file, or a pipe",
            ));
        }
        None => ("standard input".to_owned(), Box::new(io::stdin().lock())),
    };
    let refused = |why: &BackupError| Exit::data(format!("{name}: {why}; nothing was written"));
    let backup = Backup::open(BufReader::new(source)).map_err(|why| refused(&why))?;
    let held = DataDir::hold(dir)?;
    let new = Beside::begin(dir, "journal.new")?;
    let journal = data_dir::journal(dir);
    if journal.exists() {
        return Err(Exit::settings(format!(
            "{} has a journal, which is not written over: move it aside first, or restore into another directory",
            dir.display()
        )));
    }
    let mut copied = Copied::of(backup.head());
    let mut progress = Progress::new("restored", backup.head().records);
    let head = backup.head().clone();
    let counted = backup.inspect(|part| {
        if let Ok(part) = part {
            copied.pass(part, &mut progress);
        }
    });
    Store::build(new.path(), &head, counted).map_err(|why| match why {
        Unbuilt::Parts(why) => refused(&why),
        Unbuilt::Unfit(what) => refused(&BackupError::Damaged {
            parts: head.records,
            what,
        }),
        Unbuilt::Unwritten(_) => Exit::runtime(why.to_string()),
    })?;
    new.put_in_place(&journal)?;
    drop(held);
    Ok(copied)
}

/// A directory beside the journal, in which another is built. Removed when it is dropped before it got to its place.
pub(super) struct Beside {
    path: PathBuf,
}

impl Beside {
    /// In a data directory that is held. What a process that was killed at this left behind is removed.
    pub(super) fn begin(dir: &Path, name: &str) -> Result<Self, Exit> {
        let path = dir.join(name);
        match fs::remove_dir_all(&path) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(unwritten(&path, &err)),
            Ok(()) | Err(_) => Ok(Self { path }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it a name under which nothing is yet.
    pub(super) fn put_in_place(&self, place: &Path) -> Result<(), Exit> {
        put_in_place(&self.path, place).map_err(|err| unwritten(place, &err))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // What cannot be removed is by the next one.
        let _ = fs::remove_dir_all(&self.path);
    }
}

pub(super) fn unwritten(path: &Path, err: &io::Error) -> Exit {
    Exit::runtime(format!("{} cannot be written: {err}", path.display()))
}

/// How long ago a backup was made, for the sentence that says what is lost.
pub fn ago(copied: &Copied) -> String {
    let at = humantime::parse_rfc3339(&copied.at).unwrap_or(UNIX_EPOCH);
    let since = SystemTime::now().duration_since(at).unwrap_or_default();
    let since = Duration::from_secs(since.as_secs());
    humantime::format_duration(since).to_string()
}

/// What a process sends. Blocks.
struct Sent {
    runtime: Runtime,
    body: Incoming,
    rest: Bytes,
}

impl Sent {
    fn ask(addr: SocketAddr) -> Result<Self, Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime
            .map_err(|err| Exit::runtime(format!("the runtime cannot be started: {err}")))?;
        let unanswered = |why: String| Exit::dependency(format!("{addr}: {why}"));
        let answer = runtime.block_on(async {
            let answer = timeout(SILENT_MAX, get(addr)).await;
            let answer = answer.map_err(|_| format!("no answer within {SILENT_MAX:?}"))?;
            answer.map_err(|err| err.to_string())
        });
        let answer = answer.map_err(unanswered)?;
        let status = answer.status();
        let mut sent = Self {
            runtime,
            body: answer.into_body(),
            rest: Bytes::new(),
        };
        if status == StatusCode::OK {
            return Ok(sent);
        }
        let mut why = String::new();
        let read = sent.by_ref().take(REFUSAL_BYTES_MAX);
        let why = match { read }.read_to_string(&mut why) {
            Ok(_) => format!("{addr}: {}", why.trim()),
            Err(_) => format!("{addr}: {status}"),
        };
        Err(match status {
            StatusCode::CONFLICT => Exit::held(why),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Exit::settings(why),
            _ => Exit::dependency(why),
        })
    }
}

async fn get(
    addr: SocketAddr,
) -> Result<hyper::Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(addr).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(crate::admin::BACKUP_PATH)
        .header(HOST, addr.to_string())
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}

impl Read for Sent {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let next = async { timeout(SILENT_MAX, self.body.frame()).await };
            match self.runtime.block_on(next) {
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(None) => return Ok(0),
                Ok(Some(frame)) => {
                    let data = frame.map_err(io::Error::other)?.into_data();
                    self.rest = data.unwrap_or_default();
                }
            }
        }
        let len = bytes.len().min(self.rest.len());
        bytes[..len].copy_from_slice(&self.rest.split_to(len));
        Ok(len)
    }
}

/// Reads, and writes all that it read.
struct Tee<R, W> {
    from: R,
    to: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        self.to.write_all(&bytes[..read])?;
        Ok(read)
    }
}
