import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { hashOf } from '../../services/cli/commands/keys.ts';
import { createAuthenticator } from '../../services/ingress/access/authenticate.ts';
import { configSchema } from '../../shared/config/schema.ts';
import { verifies } from '../requirements.ts';
import { leakingT, timingDifference, welchT } from './timing.ts';

const probes = 10_000;
const attempts = 3;
const keyBytes = 32;

/** Headers with keys of 32 characters of which none is right, and of which 31 are. */
function wrongKeys(key: string): readonly [readonly string[], readonly string[]] {
  const wrong = (right: string, step: number): string =>
    String.fromCharCode(0x21 + ((right.charCodeAt(0) - 0x21 + step) % 94));
  const steps = Array.from({ length: 93 }, (_, step) => step + 1);
  // Through a buffer: a text that was put together may be a tree in memory, which would take another time to read.
  const flat = (text: string): string => Buffer.from(`Bearer ${text}`).toString('latin1');
  return [
    steps.map((step) => flat([...key].map((one) => wrong(one, step)).join(''))),
    steps.map((step) => flat(key.slice(0, -1) + wrong(key.slice(-1), step))),
  ];
}

/** |t| of each attempt, until one says that there is no difference: what leaks does so every time, what the machine does by chance it does not. */
function differences(probeOf: (key: string) => (header: string) => unknown): number[] {
  const found: number[] = [];
  while (found.length < attempts && found.every((t) => t >= leakingT)) {
    const key = Array.from(randomBytes(keyBytes), (byte) => String.fromCharCode(0x21 + (byte % 94))).join('');
    found.push(timingDifference(probeOf(key), wrongKeys(key), probes));
  }
  return found;
}

test('keys - the time of a refusal says nothing of how many bytes of a key were right (I12)', () => {
  verifies('keys:timing');
  const found = differences((key) => {
    const agents = { ann: { keys: [hashOf(key)] }, bob: { keys: [hashOf(`${key}x`)] } };
    const { identify } = createAuthenticator(configSchema.parse({ agents }));
    const shown = identify(`Bearer ${key}`, '/mcp');
    assert.ok('principal' in shown, 'the key is known');
    return (header) => {
      const refused = identify(header, '/mcp');
      if (!('status' in refused) || refused.status !== 401) throw new Error('a wrong key was let in');
      return refused;
    };
  });
  assert.ok(
    found.some((t) => t < leakingT),
    `|t| of ${attempts} attempts: ${found.join(', ')}`,
  );
});

test('keys - a comparison that stops at the first wrong byte is found out by the same measurement (I12)', () => {
  const found = differences((key) => (header) => {
    let at = 0;
    while (at < key.length && header.charCodeAt('Bearer '.length + at) === key.charCodeAt(at)) at += 1;
    return at === key.length;
  });
  assert.ok(
    found.every((t) => t >= leakingT),
    `|t|: ${found.join(', ')}`,
  );
  assert.equal(found.length, attempts);
});

test('keys - the t that is measured is Welch’s', () => {
  assert.ok(Math.abs(welchT([27.5, 21, 19, 23.6, 17, 17.9], [27.1, 22, 20.8, 23.4, 23.4, 23.5]) + 1.28963) < 1e-5);
  assert.equal(welchT([1, 1], [1, 1]), 0);
});
