import { createLineFramer } from './line-framer.ts';

export interface SseReaderOptions {
  /** An event whose data is longer than this many bytes is an overflow. */
  readonly limitBytes: number;
  /** One event; `type` is `message` where none was named. Events without data are not passed on, but their id is. */
  onEvent(type: string, data: Buffer): void;
  /** The last event id changed. */
  onId(id: string): void;
  /** Milliseconds the server wants between reconnects. */
  onRetry(retryMs: number): void;
  onOverflow(): void;
}

const colon = 0x3a;
const space = 0x20;
const byteOrderMark = Buffer.from('\ufeff');
const lineBreak = Buffer.from('\n');

/**
 * Reads a `text/event-stream` (WHATWG HTML, "Server-sent events"). Written by hand because the body is at hand as bytes: the parsers on npm want
 * strings, which costs a decoding of every chunk and does not bound an event. Lines that end in a lone CR are not supported.
 */
export function createSseReader(options: SseReaderOptions): (chunk: Buffer) => void {
  let type = 'message';
  let data: Buffer[] = [];
  let dataBytes = 0;
  let first = true;
  let overflowed = false;

  function overflow(): void {
    if (overflowed) return;
    overflowed = true;
    data = [];
    options.onOverflow();
  }

  function dispatch(): void {
    const [first] = data;
    if (first !== undefined) options.onEvent(type, data.length === 1 ? first : joined(data));
    type = 'message';
    data = [];
    dataBytes = 0;
  }

  function onLine(raw: Buffer): void {
    if (overflowed) return;
    let line = raw;
    if (first) {
      first = false;
      if (line.subarray(0, 3).equals(byteOrderMark)) line = line.subarray(3);
    }
    if (line.length === 0) {
      dispatch();
      return;
    }
    const at = line.indexOf(colon);
    if (at === 0) return;
    const field = line.toString('latin1', 0, at === -1 ? line.length : at);
    const value = at === -1 ? line.length : line[at + 1] === space ? at + 2 : at + 1;
    switch (field) {
      case 'data':
        dataBytes += line.length - value;
        if (dataBytes > options.limitBytes) {
          overflow();
          return;
        }
        data.push(line.subarray(value));
        return;
      case 'event':
        type = line.toString('utf8', value) || 'message';
        return;
      case 'id': {
        const id = line.toString('utf8', value);
        if (!id.includes('\0')) options.onId(id);
        return;
      }
      case 'retry': {
        const digits = line.toString('latin1', value);
        if (/^\d{1,9}$/.test(digits)) options.onRetry(Number(digits));
        return;
      }
      default:
        return;
    }
  }

  return createLineFramer({ limitBytes: options.limitBytes + 64, onLine, onOverflow: overflow });
}

function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line, at) => (at === 0 ? [line] : [lineBreak, line])));
}
