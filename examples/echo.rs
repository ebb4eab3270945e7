//! What the wire alone costs: the bench's peer of the sidecar (go-compat/bench). It speaks the same messages and
//! answers every command as applied, in an outcome as large as the sidecar's, with no engine and no layers.
//!
//! - `echo grpc PATH` serves `PlayerStateService` on a Unix socket with tonic's own server: threads, windows and
//!   streams as the sidecar has them by default.
//! - `echo raw PATH` answers an encoded `Command` with an encoded `Outcome`, four bytes of length before each,
//!   big-endian: what is left without gRPC and HTTP/2.

use std::{env, error::Error, io, num::NonZero, process::ExitCode, thread};

use player_state::pb::{
    ApplyBatchRequest, ApplyBatchResponse, ApplyRequest, ApplyResponse, Command, CreateHuntRequest,
    CreateHuntResponse, EndHuntRequest, EndHuntResponse, GetHuntRequest, GetHuntResponse,
    GetPlayerRequest, GetPlayerResponse, Move, Outcome, PlayerSummary, Verdict,
    command::Action,
    player_state_service_server::{PlayerStateService, PlayerStateServiceServer},
};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    runtime,
    sync::mpsc,
};
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};
use tonic::{Request, Response, Status, transport::Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The sidecar's defaults (docs/limits.md).
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
const STREAMS_MAX: u32 = 128;

/// Well over a command.
const FRAME_BYTES_MAX: usize = 64 << 10;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let served = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["grpc", path] => listen(path, grpc),
        ["raw", path] => listen(path, raw),
        _ => {
            eprintln!("usage: echo grpc|raw PATH, of a Unix socket that does not exist yet");
            return ExitCode::from(64);
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

type Arrivals = mpsc::UnboundedReceiver<std::os::unix::net::UnixStream>;

/// Accepts until the process is ended. As in the sidecar, a connection stays on one thread, of as many as there
/// are cores, each with a runtime of its own. They take turns: the bench closes none before the end, so the next
/// is always the idlest.
fn listen<F>(path: &str, serve: fn(Arrivals) -> F) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = ()> + 'static,
{
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = (0..cores)
        .map(|_| worker(serve))
        .collect::<io::Result<Vec<_>>>()?;
    for worker in workers.iter().cycle() {
        let (socket, _) = listener.accept()?;
        socket.set_nonblocking(true)?;
        worker.send(socket)?;
    }
    Ok(())
}

fn worker<F>(
    serve: fn(Arrivals) -> F,
) -> io::Result<mpsc::UnboundedSender<std::os::unix::net::UnixStream>>
where
    F: Future<Output = ()> + 'static,
{
    let (sender, arrivals) = mpsc::unbounded_channel();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::spawn(move || runtime.block_on(serve(arrivals)));
    Ok(sender)
}

async fn grpc(arrivals: Arrivals) {
    let served = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(PlayerStateServiceServer::new(Echo))
        .serve_with_incoming(UnboundedReceiverStream::new(arrivals).map(UnixStream::from_std))
        .await;
    if let Err(error) = served {
        eprintln!("echo: {error}");
    }
}

async fn raw(mut arrivals: Arrivals) {
    while let Some(socket) = arrivals.recv().await {
        tokio::spawn(async move {
            // Whoever leaves ends the talk.
            let _ = ping_pong(socket).await;
        });
    }
}

async fn ping_pong(socket: std::os::unix::net::UnixStream) -> io::Result<()> {
    let (read, mut write) = UnixStream::from_std(socket)?.into_split();
    let mut read = BufReader::new(read);
    let (mut asked, mut answer) = (Vec::new(), Vec::new());
    loop {
        let length = read.read_u32().await? as usize;
        if length > FRAME_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        asked.resize(length, 0);
        read.read_exact(&mut asked).await?;
        let outcome = answered(&Command::decode(&*asked)?);
        answer.clear();
        // An outcome has under a hundred bytes, and a vector takes them all.
        answer.extend((outcome.encoded_len() as u32).to_be_bytes());
        outcome.encode(&mut answer).map_err(io::Error::other)?;
        write.write_all(&answer).await?;
    }
}

/// As large as what the sidecar answers to a step.
fn answered(command: &Command) -> Outcome {
    let to = match &command.action {
        Some(Action::Move(to)) => *to,
        _ => Move { x: 64, y: 64 },
    };
    Outcome {
        request_id: command.request_id,
        verdict: Verdict::Applied.into(),
        epoch: 1,
        sequence: 5_000,
        player: Some(PlayerSummary {
            x: to.x,
            y: to.y,
            score: 200,
            version: 300,
        }),
        ..Outcome::default()
    }
}

struct Echo;

#[tonic::async_trait]
impl PlayerStateService for Echo {
    async fn create_hunt(
        &self,
        _: Request<CreateHuntRequest>,
    ) -> Result<Response<CreateHuntResponse>, Status> {
        Ok(Response::new(CreateHuntResponse::default()))
    }

    async fn apply(
        &self,
        request: Request<ApplyRequest>,
    ) -> Result<Response<ApplyResponse>, Status> {
        let command = request.into_inner().command.unwrap_or_default();
        let outcome = Some(answered(&command));
        Ok(Response::new(ApplyResponse { outcome }))
    }

    async fn apply_batch(
        &self,
        request: Request<ApplyBatchRequest>,
    ) -> Result<Response<ApplyBatchResponse>, Status> {
        let outcomes = request.get_ref().commands.iter().map(answered).collect();
        Ok(Response::new(ApplyBatchResponse { outcomes }))
    }

    async fn end_hunt(
        &self,
        _: Request<EndHuntRequest>,
    ) -> Result<Response<EndHuntResponse>, Status> {
        Err(no_game())
    }

    async fn get_hunt(
        &self,
        _: Request<GetHuntRequest>,
    ) -> Result<Response<GetHuntResponse>, Status> {
        Err(no_game())
    }

    async fn get_player(
        &self,
        _: Request<GetPlayerRequest>,
    ) -> Result<Response<GetPlayerResponse>, Status> {
        Err(no_game())
    }
}

fn no_game() -> Status {
    Status::unimplemented(
        "this server keeps no hunts: it answers commands, and that they were applied",
    )
}
