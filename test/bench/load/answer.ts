/** One HTTP response. */
export interface Answer {
  readonly status: number;
  readonly session: string | undefined;
  readonly contentType: string;
  readonly body: Buffer;
}

type State = 'head' | 'body' | 'size' | 'data' | 'data-end' | 'last';

const headEnd = Buffer.from('\r\n\r\n');
const empty: Buffer = Buffer.alloc(0);

/**
 * Reads HTTP/1.1 responses off a connection, in whatever pieces the socket gives them: bodies with Content-Length or in
 * chunked encoding without trailers. `onAnswer` is called when the last byte of a response is there. Throws on what is not HTTP.
 */
export function createAnswerReader(onAnswer: (answer: Answer) => void): (piece: Buffer) => void {
  let state: State = 'head';
  let rest: Buffer = empty;
  let head: Omit<Answer, 'body'> | undefined;
  let parts: Buffer[] = [];
  let missing = 0;

  const finish = () => {
    const answer = { ...head!, body: parts.length === 1 ? parts[0]! : Buffer.concat(parts) };
    parts = [];
    state = 'head';
    onAnswer(answer);
  };

  const take = (bytes: Buffer): number => {
    const taken = Math.min(missing, bytes.length);
    parts.push(bytes.subarray(0, taken));
    missing -= taken;
    return taken;
  };

  /** How many bytes this step used up; −1 when it needs more of them first. */
  const step = (bytes: Buffer): number => {
    switch (state) {
      case 'head': {
        const end = bytes.indexOf(headEnd);
        if (end < 0) return -1;
        const parsed = parseHead(bytes.toString('latin1', 0, end));
        head = parsed;
        missing = parsed.length ?? 0;
        state = parsed.length === undefined ? 'size' : 'body';
        if (parsed.length === 0) finish();
        return end + headEnd.length;
      }
      case 'body': {
        const taken = take(bytes);
        if (missing === 0) finish();
        return taken;
      }
      case 'size': {
        const end = bytes.indexOf('\r\n');
        if (end < 0) return -1;
        missing = Number.parseInt(bytes.toString('latin1', 0, end), 16);
        if (Number.isNaN(missing)) throw new Error('an answer has a broken chunk size');
        state = missing === 0 ? 'last' : 'data';
        return end + 2;
      }
      case 'data': {
        const taken = take(bytes);
        if (missing === 0) state = 'data-end';
        return taken;
      }
      case 'data-end':
        if (bytes.length < 2) return -1;
        state = 'size';
        return 2;
      case 'last':
        if (bytes.length < 2) return -1;
        finish();
        return 2;
    }
  };

  return (piece) => {
    let bytes: Buffer = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    while (bytes.length > 0) {
      const used = step(bytes);
      if (used < 0) break;
      bytes = bytes.subarray(used);
    }
    rest = bytes;
  };
}

const lengthHeader = /\r\ncontent-length: *(\d+)/i;
const sessionHeader = /\r\nmcp-session-id: *([^\r]*)/i;
const typeHeader = /\r\ncontent-type: *([^\r;]*)/i;

function parseHead(text: string): Omit<Answer, 'body'> & { length: number | undefined } {
  if (!text.startsWith('HTTP/1.1 ')) throw new Error(`not an HTTP/1.1 answer: ${text.slice(0, 40)}`);
  const status = Number(text.slice(9, 12));
  const length = lengthHeader.exec(text)?.[1];
  const chunked = /\r\ntransfer-encoding: *chunked/i.test(text);
  return {
    status,
    session: sessionHeader.exec(text)?.[1],
    contentType: typeHeader.exec(text)?.[1]?.toLowerCase() ?? '',
    length: length !== undefined ? Number(length) : chunked ? undefined : 0,
  };
}

/** The JSON text in an answer: the body itself, or the last `data:` of an event stream. */
export function jsonText(answer: Answer): Buffer {
  if (answer.contentType !== 'text/event-stream') return answer.body;
  const start = answer.body.lastIndexOf('\ndata:');
  const from = start >= 0 ? start + 6 : answer.body.indexOf('data:') + 5;
  const end = answer.body.indexOf('\n', from);
  return answer.body.subarray(from, end < 0 ? undefined : end);
}
