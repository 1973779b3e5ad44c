import type { BusAddress } from '../../../shared/bus/connect.ts';
import type { ServerConfig } from '../../../shared/config/schema.ts';

/** What `up` tells a worker process over its stdin, as one line of JSON. */
export interface Assignment {
  readonly config: ServerConfig;
  readonly bus: BusAddress;
  readonly tenant: string;
  readonly logLevel: string;
}

export function writeAssignment(stdin: NodeJS.WritableStream, assignment: Assignment): void {
  stdin.write(`${JSON.stringify(assignment)}\n`);
}

/** Reads the first line; what follows (nothing, then the end) stays in the stream. */
export function readAssignment(stdin: NodeJS.ReadableStream): Promise<Assignment> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer | string) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      stop();
      resolve(JSON.parse(text.slice(0, end)) as Assignment);
    };
    const onEnd = () => {
      stop();
      reject(new Error('the process that started this worker is gone'));
    };
    const stop = () => {
      stdin.removeListener('data', onData);
      stdin.removeListener('end', onEnd);
      stdin.pause();
    };
    stdin.on('data', onData);
    stdin.on('end', onEnd);
  });
}
