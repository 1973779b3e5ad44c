import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { connectBus, type NatsConnection } from '../../../shared/bus/connect.ts';
import { startTestBroker, type TestBroker } from '../../../shared/bus/testing/broker.ts';
import { configSchema } from '../../../shared/config/schema.ts';
import { until } from '../../../test/helpers/until.ts';
import { verifies } from '../../../test/requirements.ts';
import { entriesOfCall, storeEntries } from '../testing/recorded.ts';
import { createFileSink } from './file-sink.ts';
import { startSinks } from './start-sinks.ts';

const log = pino({ level: 'silent' });
const root = mkdtempSync(join(tmpdir(), 'toolbus-sinks-'));
let broker: TestBroker;
let nc: NatsConnection;

before(async () => {
  broker = await startTestBroker();
  nc = await connectBus({ url: broker.url, name: 'test', log });
});
after(async () => {
  await nc.close();
  await broker.close();
  rmSync(root, { recursive: true, force: true });
});

const sinksWith = (sinks: object) =>
  startSinks({ bus: { url: broker.url }, config: configSchema.parse({ audit: { sinks } }), version: '1.2.3', log });
const linesIn = (file: string) => readFileSync(file, 'utf8').trim().split('\n');

test('audit sinks - a file gets every record, also those written while nobody ships', async () => {
  verifies('audit:sinks');
  const path = join(root, 'deep', 'audit.ndjson');
  await storeEntries(nc, entriesOfCall({ at: Date.now(), tool: 'one' }), { writer: 'W1' });
  const first = await sinksWith({ file: { path } });
  await until(
    'the first call is in the file',
    async () => readdirSync(join(root, 'deep')).length > 0 && linesIn(path).length === 2,
  );
  await first.close();
  await storeEntries(nc, entriesOfCall({ at: Date.now(), tool: 'two' }), { writer: 'W2' });
  const second = await sinksWith({ file: { path } });
  await until('the second call is there as well', async () => linesIn(path).length >= 4);
  await second.close();
  const tools = linesIn(path).map((line) => JSON.parse(line).tool);
  assert.deepEqual(tools, ['one', 'one', 'two', 'two'], 'what was taken before does not come again');
});

test('audit sinks - a collector that fails gets the records again', async () => {
  verifies('audit:sinks');
  const bodies: string[] = [];
  let failures = 0;
  const collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      assert.equal(request.url, '/v1/logs');
      assert.equal(request.headers['x-key'], 'k');
      if (failures < 2) {
        failures += 1;
        response.writeHead(503).end();
        return;
      }
      bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  const sinks = await sinksWith({ otlp: { endpoint, headers: { 'x-key': 'k' } } });
  const logged = () => bodies.flatMap((body) => JSON.parse(body).resourceLogs[0].scopeLogs[0].logRecords);
  await until('the collector has all four', async () => logged().length >= 4);
  await sinks.close();
  collector.close();
  const logRecords = logged();
  assert.equal(failures, 2);
  assert.equal(logRecords.length, 4);
  assert.match(logRecords[0].timeUnixNano, /^\d{19}$/);
  assert.equal(JSON.parse(logRecords[0].body.stringValue).kind, 'intent');
  const names = logRecords[1].attributes.map(({ key }: { key: string }) => key);
  for (const name of ['toolbus.agent', 'toolbus.server', 'gen_ai.tool.name', 'toolbus.outcome'])
    assert.ok(names.includes(name), name);
});

test('audit sinks - a file that is large enough makes room, and the oldest goes', async () => {
  verifies('audit:sinks');
  const path = join(root, 'rotated', 'a.ndjson');
  const sink = createFileSink({ path, maxBytes: 100, keep: 2 });
  for (const letter of 'abcde') await sink.write([letter.repeat(60)]);
  await sink.close();
  const contents = readdirSync(join(root, 'rotated'))
    .sort()
    .map((name) => [name, readFileSync(join(root, 'rotated', name), 'utf8')[0]]);
  assert.deepEqual(contents, [
    ['a.ndjson', 'e'],
    ['a.ndjson.1', 'd'],
    ['a.ndjson.2', 'c'],
  ]);
});
