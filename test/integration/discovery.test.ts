import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@nats-io/transport-node';
import { fixtureCommand } from '../helpers/fixture.ts';
import { startNats } from '../helpers/nats.ts';
import { startWorker } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';

test('discovery - a worker answers the service protocol of NATS, as `nats service` asks it', async () => {
  verifies('bus:discovery');
  await using nats = await startNats();
  const config = { servers: { scripted: fixtureCommand('scripted-upstream', ['--stdio']) } };
  await using worker = await startWorker('scripted', nats.url, { config });
  const { username, password, host } = new URL(nats.url);
  const nc = await connect({ servers: host, user: username, pass: password });
  try {
    const ask = async (subject: string) =>
      (await nc.request(subject, '', { timeout: 2_000 })).json<Record<string, unknown>>();
    const id = worker.ready.instance;
    const ping = await ask('$SRV.PING');
    assert.deepEqual(
      [ping['type'], ping['name'], ping['id']],
      ['io.nats.micro.v1.ping_response', 'toolbus-scripted', id],
    );
    const info = await ask(`$SRV.INFO.toolbus-scripted.${id}`);
    const endpoints = info['endpoints'] as { subject: string; queue_group: string }[];
    assert.deepEqual(
      endpoints.map(({ subject, queue_group }) => [subject, queue_group]),
      [
        ['tb.v1.default.call.scripted.tool.*', 'scripted'],
        ['tb.v1.default.call.scripted.rpc.*', 'scripted'],
      ],
    );
    const stats = await ask('$SRV.STATS.toolbus-scripted');
    assert.equal(stats['type'], 'io.nats.micro.v1.stats_response');
  } finally {
    await nc.close();
  }
});
