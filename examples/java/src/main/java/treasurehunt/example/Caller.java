package treasurehunt.example;

import com.google.protobuf.ByteString;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import treasurehunt.playerstate.v1.EventFeedServiceGrpc;
import treasurehunt.playerstate.v1.EventFeedServiceGrpc.EventFeedServiceBlockingStub;
import treasurehunt.playerstate.v1.PlayerState.ApplyBatchRequest;
import treasurehunt.playerstate.v1.PlayerState.ApplyRequest;
import treasurehunt.playerstate.v1.PlayerState.Command;
import treasurehunt.playerstate.v1.PlayerState.CreateHuntRequest;
import treasurehunt.playerstate.v1.PlayerState.CreateHuntResponse;
import treasurehunt.playerstate.v1.PlayerState.Dig;
import treasurehunt.playerstate.v1.PlayerState.GetHuntRequest;
import treasurehunt.playerstate.v1.PlayerState.GetRecordRequest;
import treasurehunt.playerstate.v1.PlayerState.HuntSettings;
import treasurehunt.playerstate.v1.PlayerState.Join;
import treasurehunt.playerstate.v1.PlayerState.Leave;
import treasurehunt.playerstate.v1.PlayerState.Move;
import treasurehunt.playerstate.v1.PlayerState.Outcome;
import treasurehunt.playerstate.v1.PlayerState.ReadRecordsRequest;
import treasurehunt.playerstate.v1.PlayerState.ReadRecordsResponse;
import treasurehunt.playerstate.v1.PlayerState.UsePowerUp;
import treasurehunt.playerstate.v1.PlayerState.Verdict;
import treasurehunt.playerstate.v1.PlayerStateServiceGrpc;
import treasurehunt.playerstate.v1.PlayerStateServiceGrpc.PlayerStateServiceBlockingStub;

/**
 * Plays a hunt from Java: what a caller in another language needs, and no more. The same program calls the sidecar
 * itself, or the router of a shard.
 *
 * <pre>
 * ./build
 * java -cp 'target/classes:target/lib/*' treasurehunt.example.Caller unix:/run/player-state/player-state.sock
 * java -cp 'target/classes:target/lib/*' treasurehunt.example.Caller tcp:127.0.0.1:7101
 * </pre>
 */
public final class Caller {
  private static final long CALL_MS = 1_000; // the deadline of a call; every call has one, the server uses 2 s at most
  private static final long GREET_MS = 10_000; // of the first call, which waits for the connection too
  private static final int FEED_WAIT_MS = 1_000; // how long a read of the feed may wait for records
  private static final int TRIES = 4; // of one command, all under one request_id
  private static final long PLAYER = 7;

  /** After these nobody knows whether the command was applied, or the server says that it was not. */
  private static final Set<Status.Code> RETRIED =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.RESOURCE_EXHAUSTED);

  private final PlayerStateServiceBlockingStub state;
  private final EventFeedServiceBlockingStub feed;
  private final String huntId;

  private Caller(ManagedChannel channel, String huntId) {
    state = PlayerStateServiceGrpc.newBlockingStub(channel);
    feed = EventFeedServiceGrpc.newBlockingStub(channel);
    this.huntId = huntId;
  }

  /** Opens a channel to unix:PATH or tcp:HOST:PORT. It is kept, and shared by all threads. */
  private static ManagedChannel connect(String target) {
    ManagedChannelBuilder<?> channel = channelTo(target);
    if (target.startsWith("unix:")) {
      // The server wants an authority that is one; gRPC's own would be the socket's path.
      channel.overrideAuthority("localhost");
    }
    return channel.build();
  }

  private static ManagedChannelBuilder<?> channelTo(String target) {
    return Grpc.newChannelBuilder(target.replaceFirst("^tcp:", ""), InsecureChannelCredentials.create());
  }

  // A deadline is a moment, so a stub that has one is for one call: never keep what these give.
  private PlayerStateServiceBlockingStub state(long withinMs) {
    return state.withDeadlineAfter(withinMs, TimeUnit.MILLISECONDS);
  }

  private EventFeedServiceBlockingStub feed(long withinMs) {
    return feed.withDeadlineAfter(withinMs, TimeUnit.MILLISECONDS);
  }

  /**
   * Ids that only ascend: the time in milliseconds, and a counter. One for all that this process sends, as the ids of
   * one player must ascend.
   */
  private static final class RequestIds {
    private static final AtomicLong LAST = new AtomicLong();

    static long next() {
      return LAST.updateAndGet(last -> Math.max(last + 1, System.currentTimeMillis() << 20));
    }
  }

  /** Makes the first call, before players wait: it pays for the connection, and for the classes that it loads. */
  private void greet() {
    try {
      state(GREET_MS).withWaitForReady().getHunt(GetHuntRequest.newBuilder().setHuntId("nobody").build());
    } catch (StatusRuntimeException failed) {
      if (failed.getStatus().getCode() != Status.Code.NOT_FOUND) {
        throw failed;
      }
    }
  }

  private CreateHuntResponse create() {
    // When it fails it may be made again: the same settings get the same answer.
    HuntSettings.Builder settings =
        HuntSettings.newBuilder()
            .setSeed(7)
            .setWidth(16)
            .setHeight(16)
            .setTreasures(128)
            .setCaches(128)
            .setMaxPlayers(10)
            .setDurationMs(600_000);
    return state(CALL_MS).createHunt(CreateHuntRequest.newBuilder().setHuntId(huntId).setSettings(settings).build());
  }

  private Command.Builder command() {
    return Command.newBuilder().setHuntId(huntId).setPlayerId(PLAYER).setRequestId(RequestIds.next());
  }

  private Command move(int x, int y) {
    return command().setMove(Move.newBuilder().setX(x).setY(y)).build();
  }

  /**
   * Takes one command to its outcome. A call that failed is made again under the same request_id: a command that was
   * applied is then answered DUPLICATE, and never applied twice. Verdicts are values; only a failed call throws.
   */
  private Outcome apply(Command command) throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      String why;
      try {
        Outcome outcome = once(command);
        if (outcome.getVerdict() != Verdict.VERDICT_UNKNOWN || attempt == TRIES) {
          return resolved(outcome);
        }
        why = outcome.getVerdict().name();
      } catch (StatusRuntimeException failed) {
        if (!RETRIED.contains(failed.getStatus().getCode()) || attempt == TRIES) {
          throw failed;
        }
        why = failed.getStatus().getCode().name();
      }
      System.out.println("again under the same request_id, after " + why);
      Thread.sleep(ThreadLocalRandom.current().nextLong(20L << attempt));
    }
  }

  private Outcome once(Command command) {
    return state(CALL_MS).apply(ApplyRequest.newBuilder().setCommand(command).build()).getOutcome();
  }

  /** The outcome of the first time, for a command that was applied before; others as they are. */
  private Outcome resolved(Outcome outcome) {
    if (outcome.getVerdict() != Verdict.VERDICT_DUPLICATE) {
      return outcome;
    }
    GetRecordRequest place =
        GetRecordRequest.newBuilder().setHuntId(huntId).setSequence(outcome.getSequence()).build();
    return feed(CALL_MS).getRecord(place).getRecord().getApplied().getOutcome();
  }

  /** Takes 1 to 1,024 commands, at most 4 of one player, to as many outcomes in the same order. */
  private List<Outcome> applyBatch(Command... commands) {
    ApplyBatchRequest request = ApplyBatchRequest.newBuilder().addAllCommands(List.of(commands)).build();
    return state(CALL_MS).applyBatch(request).getOutcomesList();
  }

  /** What happened since the cursor: empty for all that is kept. */
  private ReadRecordsResponse records(ByteString cursor) {
    ReadRecordsRequest request =
        ReadRecordsRequest.newBuilder()
            .setCursor(cursor)
            .setMaxRecords(1_000)
            .setWaitMs(FEED_WAIT_MS)
            .setHuntId(huntId)
            .build();
    return feed(FEED_WAIT_MS + CALL_MS).readRecords(request);
  }

  /** The verdict, and why. An APPLIED one may be shown to the player at once. */
  private static String told(Outcome outcome) {
    String verdict = outcome.getVerdict().name().replace("VERDICT_", "");
    return switch (outcome.getVerdict()) {
      case VERDICT_REJECTED -> verdict + " " + outcome.getRejection().name().replace("REJECTION_", "");
      case VERDICT_REFUSED ->
          verdict
              + " "
              + outcome.getRefusal().getReason().name().replace("REASON_", "")
              + " "
              + outcome.getRefusal().getDetail();
      default -> verdict;
    };
  }

  private void play() throws InterruptedException {
    greet();
    System.out.println("hunt at epoch " + create().getEpoch());

    Outcome joined = apply(command().setJoin(Join.getDefaultInstance()).build());
    System.out.println("join: " + told(joined));
    int x = joined.getPlayer().getX();
    int y = joined.getPlayer().getY();
    Command step = move(x > 0 ? x - 1 : x + 1, y);
    System.out.println("move: " + told(apply(step)));
    System.out.println("dig: " + told(apply(command().setDig(Dig.getDefaultInstance()).build())));

    Outcome again = once(step);
    System.out.println("the move again: " + told(again) + " at sequence " + again.getSequence());
    System.out.println("its record says: " + told(resolved(again)));

    Command far = move(15 - x, 15 - y);
    Command nameless = command().setUsePowerUp(UsePowerUp.getDefaultInstance()).build();
    Command back = move(x, y);
    for (Outcome outcome : applyBatch(far, nameless, back)) {
      System.out.println("batch: " + told(outcome));
    }

    ReadRecordsResponse page = records(ByteString.EMPTY);
    System.out.println(
        page.getRecordsList().stream()
            .limit(3)
            .map(record -> record.getChangeCase().name().toLowerCase())
            .collect(Collectors.joining(" ", "feed: ", "")));
    apply(command().setLeave(Leave.getDefaultInstance()).build());
    page = records(page.getCursor()); // keep the cursor where your counts are, in one transaction
    System.out.println(
        page.getRecordsList().stream()
            .map(record -> record.getApplied().getCommand().getActionCase().name().toLowerCase())
            .collect(Collectors.joining(" ", "feed, on from the cursor: ", "")));
  }

  /** The two things that a caller forgets, and what they look like. */
  private static void mistakes(String target) throws InterruptedException {
    ManagedChannel channel = connect(target);
    System.out.println("without a deadline: " + failure(PlayerStateServiceGrpc.newBlockingStub(channel)));
    close(channel);
    if (target.startsWith("unix:")) {
      ManagedChannel pathAsAuthority = channelTo(target).build();
      System.out.println(
          "without the authority: "
              + failure(
                  PlayerStateServiceGrpc.newBlockingStub(pathAsAuthority)
                      .withDeadlineAfter(CALL_MS, TimeUnit.MILLISECONDS)));
      close(pathAsAuthority);
    }
  }

  private static String failure(PlayerStateServiceBlockingStub stub) {
    try {
      return "answered " + stub.getHunt(GetHuntRequest.newBuilder().setHuntId("any").build());
    } catch (StatusRuntimeException failed) {
      return failed.getStatus().getCode() + " " + failed.getStatus().getDescription();
    }
  }

  private static void close(ManagedChannel channel) throws InterruptedException {
    channel.shutdown();
    if (!channel.awaitTermination(1, TimeUnit.SECONDS)) {
      channel.shutdownNow();
    }
  }

  public static void main(String[] args) throws InterruptedException {
    ManagedChannel channel = connect(args[0]);
    new Caller(channel, "java-" + System.nanoTime()).play();
    close(channel);
    mistakes(args[0]);
  }
}
