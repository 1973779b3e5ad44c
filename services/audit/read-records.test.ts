import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { AuditEntry } from '../../shared/audit/record.ts';
import { connectBus, type NatsConnection } from '../../shared/bus/connect.ts';
import { startTestBroker, type TestBroker } from '../../shared/bus/testing/broker.ts';
import { verifies } from '../../test/requirements.ts';
import { type ReadRecordsOptions, readRecords } from './read-records.ts';
import { compileFilter, type RecordFilter } from './record-filter.ts';
import { entriesOfCall, storeEntries } from './testing/recorded.ts';

let broker: TestBroker;
let nc: NatsConnection;
let stream = '';
const now = Date.now();
const refusal: AuditEntry = {
  v: 1,
  kind: 'refusal',
  id: 'r1',
  time: new Date(now).toISOString(),
  agent: 'bob',
  address: '10.0.0.1',
  method: 'tools/call',
  decision: 'refused',
  reason: 'unknown_tool',
  executed: 'no',
  count: 3,
};

before(async () => {
  broker = await startTestBroker();
  nc = await connectBus({ url: broker.url, name: 'test', log: pino({ level: 'silent' }) });
  stream = await storeEntries(
    nc,
    [
      ...entriesOfCall({ at: now - 7_200_000, tool: 'old' }),
      ...entriesOfCall({ at: now - 60_000, agent: 'bob', args: { q: 'Needle in a "haystack"' } }),
      ...entriesOfCall({ at: now, outcome: 'upstream_timeout', tool: 'get_issue' }),
      ...entriesOfCall({ at: now, server: 'web', tool: 'get_page' }),
      refusal,
    ],
    { perPack: 2 },
  );
});
after(async () => {
  await nc.close();
  await broker.close();
});

async function found(filter: RecordFilter, more: Partial<ReadRecordsOptions> = {}): Promise<string[]> {
  const texts: string[] = [];
  for await (const { record } of readRecords({ nc, stream, filter: compileFilter(filter), ...more })) {
    texts.push(`${record.kind} ${'tool' in record ? (record.tool ?? '-') : '-'}`);
  }
  return texts;
}

test('audit reading - filters by agent, server, tool, outcome, time and text', async () => {
  verifies('audit:search');
  assert.deepEqual(await found({ agent: 'bob' }), ['intent search', 'outcome search', 'refusal -']);
  assert.deepEqual(await found({ server: 'web' }), ['intent get_page', 'outcome get_page']);
  assert.deepEqual(await found({ tool: 'get_*' }), [
    'intent get_issue',
    'outcome get_issue',
    'intent get_page',
    'outcome get_page',
  ]);
  assert.deepEqual(await found({ tool: 'web__get_*' }), ['intent get_page', 'outcome get_page']);
  assert.deepEqual(await found({ tool: 'get_issue' }), ['intent get_issue', 'outcome get_issue']);
  assert.deepEqual(await found({ outcome: 'upstream_timeout' }), ['outcome get_issue']);
  assert.deepEqual(await found({ outcome: 'unknown_tool' }), ['refusal -']);
  assert.deepEqual(await found({ text: 'needle IN' }), ['intent search']);
  assert.deepEqual(await found({ until: now - 3_600_000 }), ['intent old', 'outcome old']);
  assert.deepEqual(await found({ since: now - 120_000, agent: 'ada', outcome: 'ok' }), ['outcome get_page']);
  assert.deepEqual(await found({ agent: 'nobody' }), []);
});

test('audit reading - a value that stands elsewhere in a record is no match', async () => {
  verifies('audit:search');
  assert.deepEqual(await found({ agent: 'search' }), []);
  assert.deepEqual(await found({ server: 'get_page' }), []);
  assert.deepEqual(await found({ outcome: 'bob' }), []);
});

test('audit reading - follows what is written later, and stops when it is told to', async () => {
  verifies('audit:tail');
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    const filter = compileFilter({ tool: 'fresh' });
    for await (const { record } of readRecords({ nc, stream, filter, last: 1, follow: true, signal: stop.signal })) {
      seen.push(record.kind);
      if (seen.length === 2) stop.abort();
    }
  })();
  await storeEntries(nc, entriesOfCall({ at: Date.now(), tool: 'fresh' }), { writer: 'LATER' });
  await reading;
  assert.deepEqual(seen, ['intent', 'outcome']);
});

test('audit reading - stops when it is told to although nothing comes', async () => {
  verifies('audit:tail');
  const stop = new AbortController();
  const reading = (async () => {
    const filter = compileFilter({ tool: 'never' });
    for await (const _ of readRecords({ nc, stream, filter, last: 1, follow: true, signal: stop.signal }))
      assert.fail();
  })();
  await sleep(300);
  stop.abort();
  await reading;
});

test('audit reading - says that there is no stream', async () => {
  const reading = (async () => {
    for await (const _ of readRecords({ nc, stream: 'NO_SUCH', filter: compileFilter({}) })) assert.fail();
  })();
  await assert.rejects(reading, /there is no stream NO_SUCH/);
});
