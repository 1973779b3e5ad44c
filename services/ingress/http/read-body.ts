import type { IncomingMessage } from 'node:http';

/** The body was longer than allowed. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

/**
 * The whole body of a request, at most `limit` bytes as they arrive (`Content-Length` is only a first hint). Rejects with BodyTooLarge,
 * or with the stream's own error when the agent goes away.
 */
export function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const tooLarge = () => drain(req, limit * drainedBodies, () => reject(new BodyTooLarge()));
    req.once('error', reject);
    if (Number(req.headers['content-length'] ?? 0) > limit) {
      tooLarge();
      return;
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= limit) return;
      req.removeListener('data', onData);
      req.removeListener('end', onEnd);
      chunks.length = 0;
      tooLarge();
    };
    const onEnd = () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size));
    };
    req.on('data', onData);
    req.once('end', onEnd);
  });
}

/** An agent that is still sending when the connection closes sees a reset instead of the answer: so much is read and thrown away first. */
const drainedBodies = 4;
const drainMs = 2_000;

function drain(req: IncomingMessage, atMost: number, onDone: () => void): void {
  let left = atMost;
  const done = () => {
    clearTimeout(timer);
    req.removeListener('data', onData);
    req.removeListener('end', done);
    req.pause();
    onDone();
  };
  const onData = (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) done();
  };
  const timer = setTimeout(done, drainMs);
  req.on('data', onData);
  req.once('end', done);
}
