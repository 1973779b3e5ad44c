/** Keeps the last `limit` characters of what a child writes to stderr, for the operator to see when it dies. */
export interface TextTail {
  push(chunk: Buffer): void;
  /** Control characters are blanks, so that it cannot move a terminal's cursor or forge a log line. */
  read(): string;
}

export function createTextTail(limit: number): TextTail {
  let tail = '';
  return {
    push(chunk) {
      tail = (tail + chunk.toString('utf8')).slice(-limit);
    },
    read: () => clean(tail),
  };
}

/** Text of an upstream made fit for a log line or a terminal. */
export function clean(text: string): string {
  return text
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/[\x00-\x20\x7f-\x9f\u2028\u2029]+/g, ' ')
    .trim();
}
