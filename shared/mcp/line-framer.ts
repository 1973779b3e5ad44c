export interface LineFramerOptions {
  /** A line longer than this many bytes is an overflow. */
  readonly limitBytes: number;
  /** Bytes of one line without its line break; a view of the chunk it came in. Empty lines are passed on. */
  onLine(line: Buffer): void;
  /** The line is too long. Nothing is passed on from then on. */
  onOverflow(): void;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts a byte stream into lines ended by LF or CRLF. A partial line is kept as the list of its chunks, so that a long line costs
 * one copy and not one for each chunk.
 */
export function createLineFramer(options: LineFramerOptions): (chunk: Buffer) => void {
  const { limitBytes, onLine, onOverflow } = options;
  let partial: Buffer[] = [];
  let partialBytes = 0;
  let overflowed = false;

  function emit(line: Buffer): void {
    const last = line.length - 1;
    onLine(line[last] === carriageReturn ? line.subarray(0, last) : line);
  }

  return (chunk) => {
    let start = 0;
    while (!overflowed) {
      const end = chunk.indexOf(newline, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
      if (partialBytes + piece.length > limitBytes) {
        overflowed = true;
        partial = [];
        onOverflow();
        return;
      }
      if (end === -1) {
        if (piece.length > 0) {
          partial.push(piece);
          partialBytes += piece.length;
        }
        return;
      }
      if (partialBytes === 0) {
        emit(piece);
      } else {
        partial.push(piece);
        const line = Buffer.concat(partial, partialBytes + piece.length);
        partial = [];
        partialBytes = 0;
        emit(line);
      }
      start = end + 1;
      if (start === chunk.length) return;
    }
  };
}
