import type { BusAddress } from '../../../shared/bus/connect.ts';
import type { ServerConfig } from '../../../shared/config/schema.ts';

/** What `up` tells a worker process over its stdin, as one line of JSON. */
export interface Assignment {
  readonly config: ServerConfig;
  readonly bus: BusAddress;
  readonly tenant: string;
  readonly logLevel: string;
}

export interface ReceivedAssignment extends Assignment {
  /** With which calls of this server are signed. They come on a second line: `up` knows them only when its ingress runs. */
  readonly callKeys: Promise<readonly Buffer[]>;
}

export function writeAssignment(stdin: NodeJS.WritableStream, assignment: Assignment): void {
  stdin.write(`${JSON.stringify(assignment)}\n`);
}

export function writeCallKeys(stdin: NodeJS.WritableStream, callKeys: readonly Buffer[]): void {
  stdin.write(`${JSON.stringify(callKeys.map((key) => key.toString('base64url')))}\n`);
}

/** Reads the first line now, and the second when it comes; what follows (nothing, then the end) stays in the stream. */
export async function readAssignment(stdin: NodeJS.ReadableStream): Promise<ReceivedAssignment> {
  const [first, second] = readLines(stdin);
  const callKeys = second.then((line) => (JSON.parse(line) as string[]).map((key) => Buffer.from(key, 'base64url')));
  // The worker may end before it needs them.
  callKeys.catch(() => undefined);
  return { ...(JSON.parse(await first) as Assignment), callKeys };
}

function readLines(stdin: NodeJS.ReadableStream): readonly [Promise<string>, Promise<string>] {
  const waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  const next = () => new Promise<string>((resolve, reject) => void waiting.push({ resolve, reject }));
  const lines = [next(), next()] as const;
  lines[1].catch(() => undefined);
  let text = '';
  const onData = (chunk: Buffer | string) => {
    text += chunk.toString();
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      waiting.shift()?.resolve(text.slice(0, end));
      text = text.slice(end + 1);
    }
    if (waiting.length === 0) stdin.removeListener('data', onData);
  };
  const onEnd = () => {
    for (const { reject } of waiting.splice(0)) reject(new Error('the process that started this worker is gone'));
  };
  stdin.on('data', onData);
  stdin.once('end', onEnd);
  return lines;
}
