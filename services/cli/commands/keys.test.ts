import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { configSchema } from '../../../shared/config/schema.ts';
import { OperatorError } from '../../../shared/errors.ts';
import { createAuthenticator } from '../../ingress/access/authenticate.ts';
import { runKeysHash, runKeysNew } from './keys.ts';

async function outputOf(run: (stdout: { write(text: string): void }) => Promise<number>): Promise<string> {
  let output = '';
  assert.equal(
    await run({
      write: (text) => {
        output += text;
      },
    }),
    0,
  );
  return output;
}

test('keys new - the hash it prints lets the key in, as the agent it names', async () => {
  const { agent, key, hash } = JSON.parse(await outputOf((stdout) => runKeysNew('researcher', true, stdout)));
  const config = configSchema.parse({ agents: { [agent]: { keys: [hash] } } });
  const { identify } = createAuthenticator(config);
  const known = await identify(`Bearer ${key}`, '/mcp');
  assert.deepEqual('principal' in known && known.principal, { id: 'researcher', method: 'key' });
  assert.ok('status' in (await identify(`Bearer ${key}x`, '/mcp')));
});

test('keys hash - gives the hash of the key on stdin, line break or not', async () => {
  const made = JSON.parse(await outputOf((stdout) => runKeysNew('a', true, stdout)));
  for (const text of [made.key, `${made.key}\n`]) {
    assert.equal(await outputOf((stdout) => runKeysHash(Readable.from([text]), false, stdout)), `${made.hash}\n`);
  }
});

test('keys hash - refuses an empty stdin', async () => {
  await assert.rejects(
    outputOf((stdout) => runKeysHash(Readable.from(['']), false, stdout)),
    OperatorError,
  );
});
