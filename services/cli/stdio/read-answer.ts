import { createSseReader } from '../../../shared/mcp/sse-reader.ts';
import { type GatewayResponse, Lost } from './gateway.ts';

/** The longest message in either direction, in bytes. */
export const maxMessageBytes = 64 * 1024 * 1024;

export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

export interface AnswerReader {
  /** One JSON text; waits before more is read. */
  onMessage(text: string): void;
  /** An event of the stream has this id: where to resume. */
  onEventId(id: string): void;
  /** The server wants that many milliseconds before a reconnection. */
  onRetry(retryMs: number): void;
  /** Resolves when there is room for more. */
  drained(): Promise<void>;
}

export function isEventStream(response: GatewayResponse): boolean {
  return (response.headers['content-type'] ?? '').includes('text/event-stream');
}

/** Hands on the messages of a response, JSON or event stream, to its end. Rejects with `Lost` when it breaks off, `TooLarge` beyond 64 MiB. */
export async function readAnswer(response: GatewayResponse, reader: AnswerReader): Promise<void> {
  if (!isEventStream(response)) {
    const text = await readText(response, maxMessageBytes);
    if (text !== '') reader.onMessage(text);
    return;
  }
  let overflowed = false;
  const feed = createSseReader({
    limitBytes: maxMessageBytes,
    onEvent: (_type, data) => {
      if (data.length > 0) reader.onMessage(data.toString());
    },
    onId: (id) => reader.onEventId(id),
    onRetry: (retryMs) => reader.onRetry(retryMs),
    onOverflow: () => {
      overflowed = true;
    },
  });
  try {
    for await (const chunk of response.body) {
      feed(chunk);
      if (overflowed) throw new TooLarge('a message of the server is larger than 64 MiB');
      await reader.drained();
    }
  } catch (error) {
    throw lostUnless(error);
  }
}

/** The whole body as text. Rejects like `readAnswer`. */
export async function readText(response: GatewayResponse, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > limitBytes) throw new TooLarge('the answer of the server is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    throw lostUnless(error);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
}

function lostUnless(error: unknown): Error {
  if (error instanceof TooLarge) return error;
  return new Lost(error instanceof Error ? error.message : 'the connection broke', { cause: error });
}
