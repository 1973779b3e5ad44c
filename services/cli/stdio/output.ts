import type { Writable } from 'node:stream';

/** The client's side of the pipe. Nothing but JSON-RPC is written to it, one message a line. */
export interface Output {
  /** `text` is one JSON text. */
  write(text: string): void;
  /** Resolves when the client has taken enough for more to be read from the gateway. */
  drained(): Promise<void>;
  /** Resolves when the client reads no more. */
  readonly closed: Promise<void>;
}

export function createOutput(stream: Writable): Output {
  let waiting: Promise<void> | undefined;
  let isClosed = false;
  const closed = new Promise<void>((resolve) => {
    const close = () => {
      isClosed = true;
      resolve();
    };
    stream.once('error', close);
    stream.once('close', close);
  });
  return {
    closed,
    write(text) {
      if (isClosed) return;
      // A line break can stand between the tokens of a JSON text, never inside one.
      const line = /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]+/g, ' ') : text;
      if (stream.write(`${line}\n`) || waiting !== undefined) return;
      waiting = new Promise((resolve) => {
        const go = () => {
          waiting = undefined;
          resolve();
        };
        stream.once('drain', go);
        void closed.then(go);
      });
    },
    drained: () => waiting ?? Promise.resolve(),
  };
}
