//! Runs the real program on a socket of its own, and speaks to it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test program has its own copy, and uses a part of it"
)]

pub mod disk;
pub mod engine;
pub mod files;
pub mod game;
pub mod journal;
pub mod load;
pub mod records;

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use player_state::pb::{
    GetRecordRequest, GetRecordResponse, ReadRecordsRequest, ReadRecordsResponse,
    event_feed_service_client::EventFeedServiceClient,
};
use tokio::net::UnixStream;
use tonic::{Status, body::Body};

/// More than anything here takes, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The program, killed when dropped.
pub struct Sidecar {
    child: Child,
    dir: tempfile::TempDir,
    admin: SocketAddr,
}

/// How to start it.
pub struct Start {
    command: Command,
    dir: tempfile::TempDir,
}

/// The program's command line, without whatever of our settings is in the environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_player-state"));
    for (name, _) in std::env::vars() {
        if name.starts_with("PLAYERSTATE_") || name.starts_with("OTEL_") || name == "FAILPOINTS" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command that ends by itself: one that serves in place of refusing is stopped, with code 124.
pub fn run(args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let program = program();
    let mut bounded = Command::new("timeout");
    bounded.arg("10").arg(program.get_program()).args(args);
    for (name, _) in program.get_envs() {
        bounded.env_remove(name);
    }
    let output = bounded.envs(env.iter().copied()).output();
    let output = output.expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

impl Start {
    /// On a socket in a temporary directory, with an admin port that the system chooses.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = program();
        command.arg("serve").arg("--listen");
        command.arg(format!("unix:{}", dir.path().join("s.sock").display()));
        command.args(["--admin=127.0.0.1:0", "--log-format=json"]);
        Self { command, dir }
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same through `prlimit`, so that the program has at most so many descriptors.
    pub fn descriptors_max(mut self, limit: u32) -> Self {
        let mut limited = Command::new("prlimit");
        limited
            .arg(format!("--nofile={limit}:{limit}"))
            .arg(self.command.get_program());
        limited.args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        self.command = limited;
        self
    }

    /// Starts it, and returns when it says that it is ready.
    pub fn ready(self) -> Sidecar {
        let mut sidecar = self.spawn();
        sidecar.admin = sidecar.logged("admin").parse().expect("an address");
        eventually(|| match sidecar.get("/readyz") {
            (200, _) => Ok(()),
            (code, why) => Err(format!("{code}: {why}\n{}", sidecar.log())),
        });
        sidecar
    }

    /// Starts it, returns when it is ready or has ended, and kills it. Answers its exit code, if it has one.
    pub fn tried(self) -> Option<i32> {
        let mut sidecar = self.spawn();
        let mut status = None;
        eventually(|| {
            status = sidecar.child.try_wait().expect("a child");
            let log = sidecar.log();
            (status.is_some() || log.contains("\"ready\""))
                .then_some(())
                .ok_or(log)
        });
        status.and_then(|status| status.code())
    }

    /// Starts it, and waits for its end.
    pub fn ended(self) -> (ExitStatus, String) {
        let mut sidecar = self.spawn();
        (sidecar.ended(), sidecar.log())
    }

    fn spawn(mut self) -> Sidecar {
        let log = File::create(self.dir.path().join("log")).expect("a log");
        let child = self.command.stderr(log).stdout(Stdio::null()).spawn();
        Sidecar {
            child: child.expect("the program starts"),
            dir: self.dir,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

impl Sidecar {
    pub fn start(args: &[&str]) -> Self {
        args.iter()
            .fold(Start::new(), |start, arg| start.arg(arg))
            .ready()
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s.sock")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("the log")
    }

    /// The value of a field of the log, once a line has it.
    pub fn logged(&self, field: &str) -> String {
        let key = format!("\"{field}\":\"");
        let mut found = String::new();
        eventually(|| {
            let log = self.log();
            let (_, rest) = log
                .split_once(&key)
                .ok_or_else(|| format!("no {field} in {log}"))?;
            found = rest.split('"').next().unwrap_or_default().to_owned();
            Ok(())
        });
        found
    }

    /// A page of the admin port.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path)
            .unwrap_or_else(|err| (0, err.to_string()))
    }

    fn try_get(&self, path: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.admin, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let code = text
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((code, body.to_owned()))
    }

    /// The value of a metric, whose labels stand as `/metrics` writes them; 0 if it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), signal).expect("signalled");
    }

    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually(|| {
            status = self.child.try_wait().expect("a child");
            status.map(|_| ()).ok_or_else(|| "it still runs".to_owned())
        });
        status.expect("a status")
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Client {
        self.try_connect().await.expect("a connection")
    }

    pub async fn try_connect(&self) -> Result<Client, Box<dyn std::error::Error>> {
        Client::on(&self.socket()).await
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of the program:\n{}", self.log());
        }
    }
}

/// A gRPC client that does nothing by itself: no deadline but the header, no retry, one connection.
#[derive(Clone)]
pub struct Client {
    sender: SendRequest<Body>,
}

impl Client {
    pub async fn on(socket: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let stream = UnixStream::connect(socket).await?;
        let mut http2 = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        http2.timer(TokioTimer::new());
        let (sender, connection) = http2.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Any gRPC client over this connection.
    pub fn service(
        &self,
    ) -> impl tower::Service<
        Request<Body>,
        Response = Response<Incoming>,
        Error = hyper::Error,
        Future: Send,
    > + Clone
    + use<> {
        let sender = self.sender.clone();
        tower::service_fn(move |request| sender.clone().send_request(request))
    }

    pub async fn read_records(
        &self,
        wait_ms: u32,
        timeouts: &[&str],
    ) -> Result<ReadRecordsResponse, Status> {
        let request = ReadRecordsRequest {
            max_records: 1,
            wait_ms,
            ..Default::default()
        };
        let mut feed = EventFeedServiceClient::with_origin(self.service(), origin());
        answered(feed.read_records(with(request, timeouts))).await
    }

    pub async fn get_record(
        &self,
        hunt_id: &str,
        timeouts: &[&str],
    ) -> Result<GetRecordResponse, Status> {
        let request = GetRecordRequest {
            hunt_id: hunt_id.to_owned(),
            sequence: 1,
        };
        let mut feed = EventFeedServiceClient::with_origin(self.service(), origin());
        answered(feed.get_record(with(request, timeouts))).await
    }
}

/// The answer, or a panic: a call that is never answered is what these tests are there to find.
async fn answered<T>(
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    let answer = tokio::time::timeout(PATIENCE, call).await;
    let answer = answer.expect("a call was not answered");
    answer.map(tonic::Response::into_inner)
}

/// What a Go client has for the authority of a Unix socket.
pub fn origin() -> http::Uri {
    http::Uri::from_static("http://localhost")
}

fn with<T>(message: T, timeouts: &[&str]) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    for timeout in timeouts {
        request
            .metadata_mut()
            .append("grpc-timeout", timeout.parse().expect("a header"));
    }
    request
}

/// Asks until it is so, or panics with what was said last. Blocks its thread: a test that has calls
/// under way needs a runtime with another.
pub fn eventually(mut check: impl FnMut() -> Result<(), String>) {
    let began = Instant::now();
    loop {
        match check() {
            Ok(()) => return,
            Err(why) if began.elapsed() > PATIENCE => panic!("not within {PATIENCE:?}: {why}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
