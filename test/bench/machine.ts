import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { natsServerPath } from './nats.ts';

/** What the figures depend on besides the code. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly nats: string;
  readonly commit: string;
  /** One-minute load average before the run: above 0.5 or so, something else was running. */
  readonly loadBefore: number;
}

export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    nats: said(natsServerPath(), ['--version']).replace(/^nats-server: /, ''),
    commit: said('git', ['describe', '--always', '--dirty']),
    loadBefore: Math.round(loadavg()[0]! * 100) / 100,
  };
}

function said(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
