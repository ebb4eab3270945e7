//! Where connections come from: Unix sockets and loopback TCP.
//!
//! The file of a Unix socket belongs to the process that listens on it: a dead one's is replaced, a live
//! one's is never touched, and ours is removed when we stop listening, if it is still ours.

use std::{
    fs, io,
    net::SocketAddr,
    os::{
        fd::AsFd as _,
        unix::fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::Mode,
    io::Errno,
    net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt},
    process::umask,
};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::{
    config::{Listen, Settings},
    exit::Exit,
};

/// Connections that wait to be accepted, at most.
const BACKLOG: u32 = 1024;

/// An accepted connection, bound to no runtime.
pub(super) enum Socket {
    Unix(std::os::unix::net::UnixStream),
    Tcp(std::net::TcpStream),
}

/// A listener that is bound.
pub(super) enum Listener {
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener, TcpCare),
}

impl Listener {
    /// Binds. To be called before anything else of the process makes files: a Unix socket's mode is set by
    /// the umask, which all threads share.
    ///
    /// # Errors
    /// 78 if the place cannot be listened on, 75 if somebody else does.
    pub(super) fn bind(listen: &Listen, settings: &Settings) -> Result<Self, Exit> {
        match listen {
            Listen::Unix(path) => bind_unix(path),
            Listen::Tcp(addr) => {
                bind_tcp(*addr).map(|listener| Self::Tcp(listener, TcpCare::of(settings)))
            }
        }
    }

    /// Where it listens, with the port that the system chose.
    pub(super) fn place(&self) -> String {
        match self {
            Listener::Unix(_, file) => Listen::Unix(file.path.clone()).to_string(),
            Listener::Tcp(listener, _) => match listener.local_addr() {
                Ok(addr) => Listen::Tcp(addr).to_string(),
                Err(err) => format!("tcp:? ({err})"),
            },
        }
    }

    /// The value of the label `transport`.
    pub(super) fn transport(&self) -> &'static str {
        match self {
            Listener::Unix(..) => "unix",
            Listener::Tcp(..) => "tcp",
        }
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<Socket> {
        match self {
            Listener::Unix(listener, _) => Ok(Socket::Unix(listener.accept().await?.0.into_std()?)),
            Listener::Tcp(listener, care) => {
                let (stream, _) = listener.accept().await?;
                care.take(&stream)?;
                Ok(Socket::Tcp(stream.into_std()?))
            }
        }
    }
}

/// What is set on every TCP connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct TcpCare {
    idle: Duration,
    /// How long written bytes may go unacknowledged, in milliseconds.
    unacknowledged_ms: u32,
}

impl TcpCare {
    fn of(settings: &Settings) -> Self {
        let gone = settings.keepalive_interval + settings.keepalive_timeout;
        Self {
            idle: settings.keepalive_interval,
            unacknowledged_ms: u32::try_from(gone.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn take(self, stream: &tokio::net::TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, self.idle)?;
        sockopt::set_tcp_user_timeout(stream, self.unacknowledged_ms)?;
        Ok(())
    }
}

fn bind_tcp(addr: SocketAddr) -> Result<TcpListener, Exit> {
    let bind = || {
        let socket = if addr.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|err: io::Error| in_use(&Listen::Tcp(addr).to_string(), &err))
}

/// Why an address could not be bound.
pub(crate) fn in_use(place: &str, err: &io::Error) -> Exit {
    if err.kind() == io::ErrorKind::AddrInUse {
        return Exit::held(format!("{place}: another process listens there"));
    }
    Exit::settings(format!("{place}: {err}"))
}

fn bind_unix(path: &Path) -> Result<Listener, Exit> {
    let place = Listen::Unix(path.to_owned());
    let refused = |why: String| Exit::settings(format!("{place}: {why}"));
    // Only the length can be wrong.
    let address = SocketAddrUnix::new(path).map_err(|_| {
        let length = path.as_os_str().len();
        refused(format!(
            "the path has {length} bytes; the system takes 107 at most"
        ))
    })?;
    clear_the_way(path, &address)?;

    let others_keep_out = umask(Mode::from_raw_mode(0o117));
    let bound = std::os::unix::net::UnixListener::bind(path);
    umask(others_keep_out);
    let listener = bound.map_err(|err| {
        if err.kind() == io::ErrorKind::NotFound {
            return refused("its directory does not exist: make it, with mode 0750".to_owned());
        }
        in_use(&place.to_string(), &err)
    })?;
    let own = || {
        listener.set_nonblocking(true)?;
        let file = SocketFile::of(path)?;
        Ok(Listener::Unix(UnixListener::from_std(listener)?, file))
    };
    own().map_err(|err: io::Error| refused(err.to_string()))
}

/// Removes the socket file of a process that is gone; refuses anything else that stands there.
fn clear_the_way(path: &Path, address: &SocketAddrUnix) -> Result<(), Exit> {
    let place = path.display();
    match fs::symlink_metadata(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(Exit::settings(format!("unix:{place}: {err}"))),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Exit::settings(format!(
                "unix:{place}: there is a file that is no socket; remove it, or listen elsewhere"
            )));
        }
        Ok(_) => {}
    }
    match listener_of(address) {
        Ok(None) => {
            tracing::info!(%place, "replacing the socket of a process that is gone");
            fs::remove_file(path).map_err(|err| {
                Exit::settings(format!(
                    "unix:{place}: the old socket cannot be removed: {err}"
                ))
            })
        }
        Ok(Some(who)) => Err(Exit::held(format!(
            "unix:{place}: {who} listens there; stop it first, or listen elsewhere"
        ))),
        Err(err) => Err(Exit::settings(format!("unix:{place}: {err}"))),
    }
}

/// Who listens on a socket file; nobody if its process is gone.
fn listener_of(address: &SocketAddrUnix) -> io::Result<Option<String>> {
    // Not blocking: a stopped process with a full backlog would hold us up.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let probe = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match net::connect(&probe, address) {
        Ok(()) => {}
        Err(Errno::CONNREFUSED | Errno::NOENT) => return Ok(None),
        Err(Errno::AGAIN) => return Ok(Some("a busy process".to_owned())),
        Err(err) => return Err(err.into()),
    }
    let pid = sockopt::socket_peercred(probe.as_fd())?.pid;
    let program = fs::read_to_string(format!("/proc/{pid}/comm"));
    Ok(Some(format!(
        "process {pid} ({})",
        program.as_deref().unwrap_or("?").trim()
    )))
}

/// A Unix socket's file, removed when dropped, if it is still the one that we made.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = identity(&self.path).is_ok_and(|now| now == self.identity);
        if still_ours && let Err(err) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %err, "the socket file was left behind");
        }
    }
}

/// What tells two files of one path apart.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}
