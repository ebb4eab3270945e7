// Plays a hunt from Node: what a caller in another language needs, and no more.
//
//     ./build
//     node caller.js unix:/run/player-state/player-state.sock
//     node caller.js tcp:127.0.0.1:7101
//
// The same program calls the sidecar itself, or the router of a shard.

import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const CALL_MS = 1_000; // the deadline of a call; every call has one, of which the server uses 2 s at most
const GREET_MS = 10_000; // of the first call, which waits for the connection too
const FEED_WAIT_MS = 1_000; // how long a read of the feed may wait for records
const TRIES = 4; // of one command, all under one request_id
const PLAYER = '7'; // ids have 64 bits, which a number of JavaScript has not: they are decimal strings here

// After these nobody knows whether the command was applied, or the server says that it was not.
const RETRIED = new Set([grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED, grpc.status.RESOURCE_EXHAUSTED]);

const schema = loader.loadSync('treasurehunt/playerstate/v1/player_state.proto', {
  includeDirs: [new URL('../../proto', import.meta.url).pathname],
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const services = grpc.loadPackageDefinition(schema).treasurehunt.playerstate.v1;

// The server wants an authority that is one. Today's grpc-js gives a Unix socket this one by itself; others give its path.
const LOCAL = { 'grpc.default_authority': 'localhost' };

// connect opens a client to unix:PATH or tcp:HOST:PORT. It is kept, and shared by the whole process.
function connect(Service, target, options = LOCAL) {
  return new Service(target.replace(/^tcp:/, ''), grpc.credentials.createInsecure(), options);
}

// call makes one call, with a deadline.
function call(client, method, request, withinMs = CALL_MS, options = {}) {
  const deadline = Date.now() + withinMs;
  return promisify(client[method]).call(client, request, new grpc.Metadata(options), { deadline });
}

// requestIds gives ids that only ascend: the time in milliseconds, and a counter.
// One generator for all that this process sends, as the ids of one player must ascend.
function* requestIds() {
  for (let last = 0n; ; ) {
    const now = BigInt(Date.now()) << 20n;
    last = last >= now ? last + 1n : now;
    yield last.toString();
  }
}

// Caller makes the calls of one hunt. Verdicts are values; only a failed call throws.
class Caller {
  constructor(target, huntId) {
    this.state = connect(services.PlayerStateService, target);
    this.feed = connect(services.EventFeedService, target);
    this.huntId = huntId;
    this.ids = requestIds();
  }

  close() {
    this.state.close();
    this.feed.close();
  }

  // greet makes the first call, before players wait: it pays for the connection.
  async greet() {
    try {
      await call(this.state, 'GetHunt', { huntId: 'nobody' }, GREET_MS, { waitForReady: true });
    } catch (err) {
      if (err.code !== grpc.status.NOT_FOUND) {
        throw err;
      }
    }
  }

  // create makes the hunt. When it fails it may be made again: the same settings get the same answer.
  create() {
    const settings = {
      seed: '7', width: 16, height: 16, treasures: 128, caches: 128, maxPlayers: 10, durationMs: '600000',
    };
    return call(this.state, 'CreateHunt', { huntId: this.huntId, settings });
  }

  command(action) {
    return { huntId: this.huntId, playerId: PLAYER, requestId: this.ids.next().value, ...action };
  }

  // apply takes one command to its outcome. A call that failed is made again under the same request_id: a command
  // that was applied is then answered DUPLICATE, and never applied twice.
  async apply(command) {
    for (let attempt = 1; ; attempt++) {
      let why = 'VERDICT_UNKNOWN';
      try {
        const { outcome } = await call(this.state, 'Apply', { command });
        if (outcome.verdict !== why || attempt === TRIES) {
          return await this.resolved(outcome);
        }
      } catch (err) {
        if (!RETRIED.has(err.code) || attempt === TRIES) {
          throw err;
        }
        why = grpc.status[err.code];
      }
      console.log(`again under the same request_id, after ${why}`);
      await sleep(Math.random() * 20 * 2 ** attempt);
    }
  }

  // resolved is the outcome of the first time, for a command that was applied before; others are as they are.
  async resolved(outcome) {
    if (outcome.verdict !== 'VERDICT_DUPLICATE') {
      return outcome;
    }
    const { record } = await call(this.feed, 'GetRecord', { huntId: this.huntId, sequence: outcome.sequence });
    return record.applied.outcome;
  }

  // applyBatch takes 1 to 1,024 commands, at most 4 of one player, to as many outcomes in the same order.
  async applyBatch(commands) {
    return (await call(this.state, 'ApplyBatch', { commands })).outcomes;
  }

  // records is what happened since the cursor: empty for all that is kept.
  records(cursor) {
    const request = { cursor, maxRecords: 1_000, waitMs: FEED_WAIT_MS, huntId: this.huntId };
    return call(this.feed, 'ReadRecords', request, FEED_WAIT_MS + CALL_MS);
  }
}

// told is the verdict, and why. An APPLIED one may be shown to the player at once.
function told({ verdict, rejection, refusal }) {
  const short = verdict.replace('VERDICT_', '');
  switch (verdict) {
    case 'VERDICT_REJECTED':
      return `${short} ${rejection.replace('REJECTION_', '')}`;
    case 'VERDICT_REFUSED':
      return `${short} ${refusal.reason.replace('REASON_', '')} ${refusal.detail}`;
    default:
      return short;
  }
}

async function play(caller) {
  await caller.greet();
  console.log('hunt at epoch', (await caller.create()).epoch);

  const joined = await caller.apply(caller.command({ join: {} }));
  console.log('join:', told(joined));
  const { x, y } = joined.player;
  const step = caller.command({ move: { x: x > 0 ? x - 1 : x + 1, y } });
  console.log('move:', told(await caller.apply(step)));
  console.log('dig:', told(await caller.apply(caller.command({ dig: {} }))));

  const { outcome: again } = await call(caller.state, 'Apply', { command: step });
  console.log('the move again:', told(again), 'at sequence', again.sequence);
  console.log('its record says:', told(await caller.resolved(again)));

  const far = caller.command({ move: { x: 15 - x, y: 15 - y } });
  const nameless = caller.command({ usePowerUp: {} });
  const back = caller.command({ move: { x, y } });
  for (const outcome of await caller.applyBatch([far, nameless, back])) {
    console.log('batch:', told(outcome));
  }

  let page = await caller.records(Buffer.alloc(0));
  console.log('feed:', ...page.records.slice(0, 3).map((record) => record.change));
  await caller.apply(caller.command({ leave: {} }));
  page = await caller.records(page.cursor); // keep the cursor where your counts are, in one transaction
  console.log('feed, on from the cursor:', ...page.records.map((record) => record.applied.command.action));
}

// mistakes are the two things that a caller forgets, and what they look like.
async function mistakes(target) {
  const ask = async (options, deadline) => {
    const client = connect(services.PlayerStateService, target, options);
    const getHunt = promisify(client.getHunt).bind(client);
    const err = await getHunt({ huntId: 'any' }, new grpc.Metadata(), deadline).catch((failed) => failed);
    client.close();
    return `${grpc.status[err.code]} ${err.details}`;
  };
  console.log('without a deadline:', await ask(LOCAL, {}));
  if (target.startsWith('unix:')) {
    const path = { 'grpc.default_authority': encodeURIComponent(target.replace(/^unix:/, '')) };
    console.log('without the authority:', await ask(path, { deadline: Date.now() + CALL_MS }));
  }
}

const target = process.argv[2];
const caller = new Caller(target, `node-${process.hrtime.bigint()}`);
await play(caller);
caller.close();
await mistakes(target);
