import { pino } from 'pino';
import { readRecords } from '../../services/audit/read-records.ts';
import { compileFilter, type RecordFilter } from '../../services/audit/record-filter.ts';
import { entriesOfCall, storeEntries } from '../../services/audit/testing/recorded.ts';
import { connectBus } from '../../shared/bus/connect.ts';
import { startTestBroker } from '../../shared/bus/testing/broker.ts';

/**
 * How long a filtered search takes over a million recorded records: over one hour of a day of them, and over all. Once packed as under load
 * (64 records to a message), once as with one agent (one to a message). Prints medians of five searches.
 *
 *     node --import tsx test/bench/audit-read.ts
 */
const records = 1_000_000;
const hours = 24;
const rounds = 5;

function* day(calls: number, from: number, spanMs: number) {
  for (let n = 0; n < calls; n += 1) {
    yield* entriesOfCall({
      at: Math.floor(from + (n * spanMs) / calls),
      agent: `agent-${n % 50}`,
      tool: `tool_${n % 100}`,
      outcome: n % 1_000 === 0 ? 'upstream_timeout' : 'ok',
      args: { query: `some words that an agent may look for, number ${n}` },
    });
  }
}

for (const perPack of [64, 1]) {
  const broker = await startTestBroker();
  const nc = await connectBus({ url: broker.url, name: 'bench', log: pino({ level: 'silent' }) });
  const lastHour = Math.round(records / 2 / hours);
  const early = Date.now();
  await storeEntries(nc, day(records / 2 - lastHour, early, 1), { perPack, writer: 'EARLY' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const hour = Date.now();
  const stream = await storeEntries(nc, day(lastHour, hour, 1), { perPack, writer: 'HOUR' });
  const searches: readonly (readonly [string, RecordFilter, number | undefined])[] = [
    ['one hour, one agent', { agent: 'agent-7' }, hour + 60_000],
    ['one hour, failures', { outcome: 'upstream_timeout' }, hour + 60_000],
    ['one hour, a text', { text: 'number 1234' }, hour + 60_000],
    ['all, one agent', { agent: 'agent-7' }, undefined],
    ['all, failures', { outcome: 'upstream_timeout' }, undefined],
  ];
  for (const [name, filter, since] of searches) {
    const took: number[] = [];
    let found = 0;
    for (let round = 0; round < rounds; round += 1) {
      const begun = performance.now();
      found = 0;
      // `since` is moved on by the tolerance for clocks, which would reach back into the rest of this young stream.
      for await (const _ of readRecords({ nc, stream, filter: compileFilter(filter), since })) found += 1;
      took.push(performance.now() - begun);
    }
    took.sort((a, b) => a - b);
    const rss = Math.round(process.memoryUsage.rss() / 1024 / 1024);
    process.stdout.write(
      `${perPack} per message  ${name.padEnd(20)} ${String(found).padStart(7)} found  ${(took[rounds >> 1] ?? 0).toFixed(0).padStart(6)} ms  RSS ${rss} MiB\n`,
    );
  }
  await nc.close();
  await broker.close();
}
