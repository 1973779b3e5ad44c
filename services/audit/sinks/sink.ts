/** Where records are sent besides the stream. */
export interface Sink {
  /** Name of its durable consumer: `[A-Za-z0-9_-]+`. */
  readonly name: string;
  /** Resolves when these records are safe there. Rejects when they may not be: they will come again. */
  write(lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}
