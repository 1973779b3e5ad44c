import type { Socket } from 'node:net';
import { type Broker, startBroker } from './broker.ts';
import { openTcpLink } from './tcp-link.ts';

/** A nats-server that takes its time to say that it has stored something: as from a slow disk, all else goes at its usual pace. */
export interface SlowStorage extends Broker {
  /** From now on, acknowledgements of the stream come so much later. Zero: as they are. */
  holdAcks(ms: number): void;
  /** Acknowledgements that were held so far. */
  readonly held: number;
}

/** `stream`: whose acknowledgements. */
export async function startSlowStorage(stream: string): Promise<SlowStorage> {
  const broker = await startBroker();
  const acknowledgement = Buffer.from(`{"stream":${JSON.stringify(stream)},`);
  const timers = new Set<NodeJS.Timeout>();
  let holdMs = 0;
  let held = 0;

  function later(act: () => void): void {
    held += 1;
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, holdMs);
    timers.add(timer);
  }

  const link = await openTcpLink(Number(new URL(broker.url).port), (near, far) => {
    const send = (to: Socket, bytes: Buffer) => void (to.destroyed || to.write(bytes));
    near.on('data', (bytes: Buffer) => send(far, bytes));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    const split = splitter((message, payload) => {
      const isHeld = holdMs > 0 && payload.subarray(0, acknowledgement.length).equals(acknowledgement);
      if (isHeld) later(() => send(near, message));
      else send(near, message);
    });
    far.on('data', split);
  });

  return {
    ...broker,
    url: `nats://127.0.0.1:${link.port}`,
    holdAcks(ms) {
      holdMs = ms;
    },
    get held() {
      return held;
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearTimeout(timer);
      await link[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}

const noPayload: Buffer = Buffer.alloc(0);

/** Takes bytes of a NATS server and gives whole messages of its protocol, with the payload of those that have one. */
function splitter(onMessage: (message: Buffer, payload: Buffer) => void): (bytes: Buffer) => void {
  let rest: Buffer = noPayload;
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (;;) {
      const end = rest.indexOf('\r\n');
      if (end < 0) return;
      const words = rest.toString('latin1', 0, end).split(' ');
      const hasPayload = words[0] === 'MSG' || words[0] === 'HMSG';
      const size = hasPayload ? Number(words.at(-1)) : 0;
      const from = end + 2;
      const whole = hasPayload ? from + size + 2 : from;
      if (rest.length < whole) return;
      onMessage(rest.subarray(0, whole), hasPayload ? rest.subarray(from, from + size) : noPayload);
      rest = rest.subarray(whole);
    }
  };
}
