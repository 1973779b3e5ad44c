import { GatewayError } from '../../../shared/errors.ts';
import type { JsonRpcMessage } from '../../../shared/mcp/json-rpc.ts';
import { createLineFramer } from '../../../shared/mcp/line-framer.ts';
import type { GuardedChild } from '../../../shared/process/guarded-child.ts';
import type { Connection, Receiver } from './connection.ts';
import { limits } from './limits.ts';
import { createTextTail } from './text-tail.ts';
import { checkMessage, parseJson } from './wire-check.ts';

const drainMs = 100;

export interface StdioConnection extends Connection {
  /** The last of what the child wrote to stderr, fit for an operator's eyes. */
  stderrTail(): string;
}

/** JSON-RPC over the pipes of a child, one message per line (specification, basic/transports/stdio). */
export function openStdio(child: GuardedChild, receiver: Receiver): StdioConnection {
  const stderr = createTextTail(limits.stderrTailBytes);
  let over = false;

  function end(error: GatewayError): void {
    if (over) return;
    over = true;
    receiver.onClosed(error);
  }

  const frame = createLineFramer({
    limitBytes: limits.messageBytes,
    onLine(line) {
      if (over || line.length === 0) return;
      const value = parseJson(line);
      const alone = Array.isArray(value) ? undefined : line;
      for (const one of Array.isArray(value) ? value : [value]) {
        const message = checkMessage(one);
        if (message === undefined) receiver.onGarbage();
        else receiver.onMessage(message, undefined, alone);
      }
    },
    onOverflow() {
      const size = `${limits.messageBytes / 1024 / 1024} MiB`;
      end(new GatewayError('bad_upstream_output', `the upstream server wrote a line longer than ${size}`));
      void child.stop({ graceMs: 0 });
    },
  });

  child.stdout.on('data', frame);
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  void child.exited.then(({ code, signal }) => {
    const cause = new Error(`the process ended with ${signal === null ? `exit code ${code}` : `signal ${signal}`}`);
    const tell = () => end(new GatewayError('upstream_lost', 'the upstream server ended', { cause }));
    // The pipe may still hold an answer written just before the exit; a process that left the group may hold it open for ever.
    if (child.stdout.readableEnded) return tell();
    child.stdout.once('close', tell);
    setTimeout(tell, drainMs).unref();
  });

  return {
    send(message: JsonRpcMessage) {
      const id = 'method' in message && 'id' in message ? (message.id as number) : undefined;
      if (over || !child.stdin.writable || child.stdin.writableLength > limits.stdinQueueBytes) {
        if (id === undefined) return;
        const why = over ? 'the upstream server has ended' : 'the upstream server does not read its input';
        receiver.onLost(id, new GatewayError('no_worker', why));
        return;
      }
      child.stdin.write(`${JSON.stringify(message)}\n`);
    },
    drop() {},
    established() {},
    stderrTail: stderr.read,
    async close() {
      over = true;
      await child.stop({ graceMs: limits.closeMs - 2_000 });
    },
  };
}
