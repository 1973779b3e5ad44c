import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEntry, AuditRecord, IntentEntry } from '../../../shared/audit/record.ts';
import { verifies } from '../../../test/requirements.ts';
import { entriesOfCall } from '../testing/recorded.ts';
import { inOrderOfIntent } from './in-order.ts';

async function replayed(entries: readonly AuditEntry[], wanted?: string): Promise<string[]> {
  async function* records() {
    for (const [at, entry] of entries.entries()) {
      yield { record: { ...entry, writer: 'W', seq: at + 1, prev: '' } as AuditRecord };
    }
  }
  const seen: string[] = [];
  for await (const call of inOrderOfIntent(records(), wanted)) {
    seen.push('skipped' in call ? `${call.target}: ${call.skipped}` : call.target);
  }
  return seen;
}

test('replay order - is that in which calls were asked, not that in which they ended', async () => {
  verifies('audit:replay');
  const [slow, slowEnd] = entriesOfCall({ at: 1_000, tool: 'slow' });
  const [quick, quickEnd] = entriesOfCall({ at: 1_001, tool: 'quick' });
  assert.deepEqual(await replayed([slow, quick, quickEnd, slowEnd]), ['slow', 'quick']);
});

test('replay order - a call without outcome holds nobody up for ever, and is not made again', async () => {
  verifies('audit:replay');
  const [lost] = entriesOfCall({ at: 1_000, tool: 'lost' });
  const late = entriesOfCall({ at: 1_000 + 11 * 60_000, tool: 'late' });
  const skipped = 'lost: had no answer to compare with';
  assert.deepEqual(await replayed([lost, ...late]), [skipped, 'late']);
  assert.deepEqual(await replayed([lost]), [skipped]);
});

test('replay order - of calls that ended in one way only, others are not even counted', async () => {
  verifies('audit:replay');
  const bad = entriesOfCall({ at: 1_000, tool: 'bad', outcome: 'tool_error' });
  const good = entriesOfCall({ at: 1_001, tool: 'good' });
  assert.deepEqual(await replayed([...bad, ...good], 'ok'), ['good']);
  assert.deepEqual(await replayed([...bad, ...good], 'tool_error'), ['bad']);
});

test('replay order - says why a call cannot be made again', async () => {
  verifies('audit:replay');
  const why = async (change: Partial<IntentEntry>, outcome: 'ok' | 'cancelled' | 'input_required' = 'ok') => {
    const [intent, end] = entriesOfCall({ at: 1_000, tool: 't', outcome });
    return (await replayed([{ ...intent, ...change }, end]))[0];
  };
  assert.equal(await why({}), 't');
  assert.equal(await why({ arguments: { mode: 'none', bytes: 9 } }), 't: arguments were not kept');
  const digest = { mode: 'digest', bytes: 70_000, sha256: '0'.repeat(64) } as const;
  assert.equal(await why({ arguments: digest }), 't: arguments were not kept');
  assert.equal(await why({ arguments: { mode: 'hmac', bytes: 9, value: {} } }), 't: arguments were not kept');
  assert.equal(
    await why({ arguments: { mode: 'plain', bytes: 9, value: {}, redacted: ['/password'] } }),
    't: arguments were redacted',
  );
  assert.equal(await why({ method: 'tasks/get' }), 't: of a method that is not replayed');
  assert.equal(await why({ replay: { run: 'r', of: 'c' } }), 't: is a replay itself');
  assert.equal(await why({}, 'cancelled'), 't: had no answer to compare with');
  assert.equal(await why({}, 'input_required'), 't: asked a question');
});
