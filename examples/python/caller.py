"""Plays a hunt from Python: what a caller in another language needs, and no more.

    ./build
    PYTHONPATH=gen .venv/bin/python caller.py unix:/run/player-state/player-state.sock
    PYTHONPATH=gen .venv/bin/python caller.py tcp:127.0.0.1:7101

The same program calls the sidecar itself, or the router of a shard.
"""

import random
import sys
import threading
import time

import grpc

from treasurehunt.playerstate.v1 import player_state_pb2 as pb
from treasurehunt.playerstate.v1 import player_state_pb2_grpc as rpc

CALL_S = 1.0  # the deadline of a call; every call has one, of which the server uses 2 s at most
GREET_S = 10.0  # of the first call, which waits for the connection too
FEED_WAIT_MS = 1_000  # how long a read of the feed may wait for records
TRIES = 4  # of one command, all under one request_id
PLAYER = 7

# After these nobody knows whether the command was applied, or the server says that it was not.
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}


def connect(target: str) -> grpc.Channel:
    """Opens a channel to unix:PATH or tcp:HOST:PORT. It is kept, and shared by all threads."""
    if target.startswith("unix:"):
        # The server wants an authority that is one; gRPC's own would be the socket's path.
        return grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost")])
    return grpc.insecure_channel(target.removeprefix("tcp:"))


class RequestIDs:
    """Ids that only ascend: the time in milliseconds, and a counter.

    One for all that this process sends, as the ids of one player must ascend.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last = 0

    def next(self) -> int:
        with self.lock:
            self.last = max(self.last + 1, time.time_ns() // 1_000_000 << 20)
            return self.last


class Caller:
    """The calls of one hunt. Verdicts are values; only a failed call raises."""

    def __init__(self, channel: grpc.Channel, hunt_id: str):
        self.state = rpc.PlayerStateServiceStub(channel)
        self.feed = rpc.EventFeedServiceStub(channel)
        self.hunt_id = hunt_id
        self.ids = RequestIDs()

    def greet(self) -> None:
        """Makes the first call, before players wait: it pays for the connection."""
        try:
            self.state.GetHunt(pb.GetHuntRequest(hunt_id="nobody"), timeout=GREET_S, wait_for_ready=True)
        except grpc.RpcError as err:
            if err.code() != grpc.StatusCode.NOT_FOUND:
                raise

    def create(self) -> pb.CreateHuntResponse:
        # When it fails it may be made again: the same settings get the same answer.
        settings = pb.HuntSettings(
            seed=7, width=16, height=16, treasures=128, caches=128, max_players=10, duration_ms=600_000
        )
        return self.state.CreateHunt(pb.CreateHuntRequest(hunt_id=self.hunt_id, settings=settings), timeout=CALL_S)

    def command(self, **action) -> pb.Command:
        return pb.Command(hunt_id=self.hunt_id, player_id=PLAYER, request_id=self.ids.next(), **action)

    def apply(self, command: pb.Command) -> pb.Outcome:
        """Takes one command to its outcome.

        A call that failed is made again under the same request_id: a command that was applied is then
        answered DUPLICATE, and never applied twice.
        """
        for attempt in range(1, TRIES + 1):
            try:
                outcome = self.state.Apply(pb.ApplyRequest(command=command), timeout=CALL_S).outcome
                if outcome.verdict != pb.VERDICT_UNKNOWN or attempt == TRIES:
                    return self.resolved(outcome)
                why = "VERDICT_UNKNOWN"
            except grpc.RpcError as err:
                if err.code() not in RETRIED or attempt == TRIES:
                    raise
                why = err.code().name
            print(f"again under the same request_id, after {why}")
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("the last try returns or raises")

    def resolved(self, outcome: pb.Outcome) -> pb.Outcome:
        """The outcome of the first time, for a command that was applied before; others as they are."""
        if outcome.verdict != pb.VERDICT_DUPLICATE:
            return outcome
        place = pb.GetRecordRequest(hunt_id=self.hunt_id, sequence=outcome.sequence)
        return self.feed.GetRecord(place, timeout=CALL_S).record.applied.outcome

    def apply_batch(self, commands: list[pb.Command]) -> list[pb.Outcome]:
        """Takes 1 to 1,024 commands, at most 4 of one player, to as many outcomes in the same order."""
        return list(self.state.ApplyBatch(pb.ApplyBatchRequest(commands=commands), timeout=CALL_S).outcomes)

    def records(self, cursor: bytes) -> pb.ReadRecordsResponse:
        """What happened since the cursor: empty for all that is kept."""
        request = pb.ReadRecordsRequest(cursor=cursor, max_records=1_000, wait_ms=FEED_WAIT_MS, hunt_id=self.hunt_id)
        return self.feed.ReadRecords(request, timeout=FEED_WAIT_MS / 1_000 + CALL_S)


def told(outcome: pb.Outcome) -> str:
    """The verdict, and why. An APPLIED one may be shown to the player at once."""
    verdict = pb.Verdict.Name(outcome.verdict).removeprefix("VERDICT_")
    if outcome.verdict == pb.VERDICT_REJECTED:
        return f"{verdict} {pb.Rejection.Name(outcome.rejection).removeprefix('REJECTION_')}"
    if outcome.verdict == pb.VERDICT_REFUSED:
        reason = pb.Refusal.Reason.Name(outcome.refusal.reason).removeprefix("REASON_")
        return f"{verdict} {reason} {outcome.refusal.detail}"
    return verdict


def play(caller: Caller) -> None:
    caller.greet()
    print("hunt at epoch", caller.create().epoch)

    joined = caller.apply(caller.command(join=pb.Join()))
    print("join:", told(joined))
    x, y = joined.player.x, joined.player.y
    step = caller.command(move=pb.Move(x=x - 1 if x else x + 1, y=y))
    print("move:", told(caller.apply(step)))
    print("dig:", told(caller.apply(caller.command(dig=pb.Dig()))))

    again = caller.state.Apply(pb.ApplyRequest(command=step), timeout=CALL_S).outcome
    print("the move again:", told(again), "at sequence", again.sequence)
    print("its record says:", told(caller.resolved(again)))

    far = caller.command(move=pb.Move(x=15 - x, y=15 - y))
    nameless = caller.command(use_power_up=pb.UsePowerUp())
    back = caller.command(move=pb.Move(x=x, y=y))
    for outcome in caller.apply_batch([far, nameless, back]):
        print("batch:", told(outcome))

    page = caller.records(cursor=b"")
    print("feed:", *(record.WhichOneof("change") for record in page.records[:3]))
    caller.apply(caller.command(leave=pb.Leave()))
    page = caller.records(page.cursor)  # keep the cursor where your counts are, in one transaction
    print("feed, on from the cursor:", *(record.applied.command.WhichOneof("action") for record in page.records))


def mistakes(target: str) -> None:
    """The two things that a caller forgets, and what they look like."""
    request = pb.GetHuntRequest(hunt_id="any")
    with connect(target) as channel:
        try:
            rpc.PlayerStateServiceStub(channel).GetHunt(request)
        except grpc.RpcError as err:
            print("without a deadline:", err.code().name, err.details())
    if target.startswith("unix:"):
        with grpc.insecure_channel(target) as channel:
            try:
                rpc.PlayerStateServiceStub(channel).GetHunt(request, timeout=CALL_S)
            except grpc.RpcError as err:
                print("without the authority:", err.code().name, err.details())


def main() -> None:
    target = sys.argv[1]
    with connect(target) as channel:
        play(Caller(channel, hunt_id=f"python-{time.time_ns()}"))
    mistakes(target)


if __name__ == "__main__":
    main()
