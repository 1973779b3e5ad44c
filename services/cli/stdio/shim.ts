import type { Readable, Writable } from 'node:stream';
import { rpcCode } from '../../../shared/mcp/json-rpc.ts';
import { createLineFramer } from '../../../shared/mcp/line-framer.ts';
import { createGateway } from './gateway.ts';
import { createInFlight } from './in-flight.ts';
import type { Key } from './key.ts';
import { createLegacySide } from './legacy.ts';
import { createLink } from './link.ts';
import { type ClientMessage, errorLine, readMessage } from './message.ts';
import { createModernSide } from './modern.ts';
import { createOutput } from './output.ts';
import { maxMessageBytes } from './read-answer.ts';

export interface ShimOptions {
  /** Streamable HTTP endpoint. */
  readonly url: URL;
  readonly key: Key;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** For people. */
  say(text: string): void;
  /** Aborts when the process shall end: what is in flight is given up. */
  readonly stop: AbortSignal;
  /** How long a request waits for a gateway that cannot be reached, in milliseconds. */
  readonly patienceMs?: number | undefined;
}

/** How it ended: whether the gateway ever answered, and why not. */
export type ShimOutcome = 'ok' | 'unauthorized' | 'unreachable';

const defaultPatienceMs = 15_000;

/**
 * A stdio server that is a gateway far away: every line goes there over Streamable HTTP, every message from there becomes a line.
 * Either era, told apart message by message. Resolves when stdin has ended and everything is answered, or the client reads no more.
 */
export async function runShim(options: ShimOptions): Promise<ShimOutcome> {
  const { url, key, stdin, say, stop } = options;
  const output = createOutput(options.stdout);
  const inFlight = createInFlight();
  const link = createLink({
    gateway: createGateway(url),
    url,
    key: key.current,
    renewKey: key.renew,
    say,
    patienceMs: options.patienceMs ?? defaultPatienceMs,
    onRoom: () => {
      if (link.unsentBytes <= maxMessageBytes && stdin.isPaused()) stdin.resume();
    },
  });
  const modern = createModernSide({ link, inFlight, output });
  const legacy = createLegacySide({ link, inFlight, output, say });

  const take = (message: ClientMessage): void => {
    switch (message.kind) {
      case 'invalid':
        output.write(message.answer);
        break;
      case 'request':
        void (message.revision === undefined ? legacy : modern).request(message);
        break;
      case 'response':
        void legacy.respond(message);
        break;
      case 'batch':
        void legacy.batch(message);
        break;
      case 'notification':
        // Over HTTP, 2026-07-28 cancels by closing the response.
        if (message.method === 'notifications/cancelled' && modern.cancel(message.params['requestId'])) break;
        void legacy.notify(message);
        break;
      default:
        message satisfies never;
    }
  };

  let overflowed = false;
  const feed = createLineFramer({
    limitBytes: maxMessageBytes,
    onLine: (line) => {
      if (line.length > 0) take(readMessage(line));
    },
    onOverflow: () => {
      overflowed = true;
    },
  });
  const ended = new Promise<void>((resolve) => {
    stdin.on('data', (chunk: Buffer) => {
      feed(chunk);
      if (overflowed) {
        output.write(errorLine(null, rpcCode.invalidRequest, 'a line is longer than 64 MiB; the connection ends'));
        stdin.destroy();
      } else if (link.unsentBytes > maxMessageBytes) stdin.pause();
    });
    stdin.once('end', resolve);
    stdin.once('close', resolve);
    stdin.once('error', () => resolve());
  });
  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));

  await Promise.race([ended, output.closed, stopped]);
  legacy.clientLeft();
  await Promise.race([inFlight.settled(), output.closed, stopped]);
  inFlight.abort();
  await legacy.close();
  link.close();
  stdin.destroy();
  return link.trouble ?? 'ok';
}
