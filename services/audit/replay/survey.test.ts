import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEntry, AuditRecord } from '../../../shared/audit/record.ts';
import { verifies } from '../../../test/requirements.ts';
import { entriesOfCall } from '../testing/recorded.ts';
import { inOrderOfIntent } from './in-order.ts';
import { survey } from './survey.ts';

async function* recordsOf(entries: readonly AuditEntry[]) {
  for (const [at, entry] of entries.entries()) {
    yield { record: { ...entry, writer: 'W', seq: at + 1, prev: '' } as AuditRecord };
  }
}

const [intent, outcome] = entriesOfCall({ at: 1_004, tool: 'again', server: 'staging' });
const entries: readonly AuditEntry[] = [
  ...entriesOfCall({ at: 1_000, tool: 'bad', outcome: 'tool_error' }),
  ...entriesOfCall({ at: 1_001, tool: 'good' }),
  ...entriesOfCall({ at: 1_002, tool: 'good', server: 'gitlab' }),
  entriesOfCall({ at: 1_003, tool: 'lost' })[0],
  { ...intent, replay: { run: 'r', of: 'c' } },
  outcome,
];

test('replay survey - counts the calls that a replay meets, and no others', async () => {
  verifies('audit:replay');
  for (const wanted of [undefined, 'ok', 'tool_error', 'upstream_lost']) {
    const met: string[] = [];
    for await (const { server } of inOrderOfIntent(recordsOf(entries), wanted)) met.push(server);
    const { calls } = await survey(recordsOf(entries), wanted);
    assert.deepEqual(
      [...calls].flatMap(([server, count]) => Array.from({ length: count }, () => server)).sort(),
      met.sort(),
      wanted,
    );
  }
  assert.deepEqual(Object.fromEntries((await survey(recordsOf(entries), 'ok')).calls), {
    github: 1,
    gitlab: 1,
    staging: 1,
  });
});

test('replay survey - a server that was only asked by replays is no recorded one', async () => {
  verifies('audit:replay');
  assert.deepEqual((await survey(recordsOf(entries))).servers, ['github', 'gitlab']);
});
