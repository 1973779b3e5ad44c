import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openClusterBucket } from '../../../shared/bus/buckets.ts';
import { connectBus } from '../../../shared/bus/connect.ts';
import { subjectsOf } from '../../../shared/bus/subjects.ts';
import { configSchema } from '../../../shared/config/schema.ts';
import { GatewayError } from '../../../shared/errors.ts';
import { createCallId } from '../../../shared/ids.ts';
import { createLogger } from '../../../shared/log.ts';
import type { Call } from '../../../shared/mcp/call.ts';
import { readAudit } from '../../../test/chaos/audit-oracle.ts';
import { type Broker, startBroker } from '../../../test/chaos/broker.ts';
import { until } from '../../../test/helpers/until.ts';
import { verifies } from '../../../test/requirements.ts';
import { requestOf, resultOf } from '../methods/testing/harness.ts';
import { openAudit } from './audit.ts';

const log = createLogger('silent', 'test');

/** What an ingress records with, on a nats-server that can be frozen. */
async function recording() {
  const broker = await startBroker();
  const dataDir = mkdtempSync(join(tmpdir(), 'toolbus-audit-'));
  const nc = await connectBus({ url: broker.url, name: 'test', log });
  const audit = await openAudit({
    writer: 'TESTWRITER',
    bus: { url: broker.url },
    tenant: 'default',
    subjects: subjectsOf(),
    buckets: await openClusterBucket(nc, 'default'),
    clusterSecret: 'audit-audit-audit-audit-audit-audit',
    dataDir,
    log,
    config: () => configSchema.parse({}),
    catalogVersion: () => undefined,
  });
  await audit.opened;
  // What it writes at its start is no part of these tests.
  await delay(200);
  return {
    audit,
    broker,
    async [Symbol.asyncDispose]() {
      broker.signal('SIGCONT');
      await audit.close();
      await nc.close();
      await broker[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function freeze(broker: Broker): Promise<void> {
  broker.signal('SIGSTOP');
  // Its threads stop one after the other.
  await delay(200);
}

function asked() {
  const request = requestOf('tools/call', { name: 'shop__buy', arguments: {} }, { callId: createCallId() });
  const { callId: id, method, params, agent } = request;
  const about = { id, method, server: 'shop', target: 'buy', params, agent, principal: request.principal };
  const call: Call = { ...about, wantsProgress: false, timeoutMs: 5_000, headers: {} };
  return { request, call };
}

test('audit - a call that ends by itself before it is known that nothing records has one outcome', async () => {
  verifies('audit:two-phases', 'audit:outcome-kept');
  await using open = await recording();
  const { audit, broker } = open;
  assert.equal(audit.status.state, 'recording');
  await freeze(broker);
  const { request, call } = asked();
  const refusal = new GatewayError('no_worker', 'nobody serves it');
  await assert.rejects(
    audit.follow(
      request,
      async () => {
        // By then the intent is on its way, and the outcome is none of its pack.
        await delay(50);
        throw refusal;
      },
      async (dispatch) => {
        await dispatch(call, { signal: request.signal, onNotification: request.onNotification });
        throw new Error('not reached');
      },
    ),
    refusal,
  );
  assert.equal(audit.status.state, 'broken', JSON.stringify(audit.status));
  assert.equal(audit.status.spooled, 1, JSON.stringify(audit.status));
  broker.signal('SIGCONT');
  await until('it records again', () => audit.status.state === 'recording' && audit.status.spooled === 0);
  const records = await until('the outcome is in the stream', async () => {
    const found = await readAudit(broker.url);
    return found.some(({ kind }) => kind === 'outcome') && found;
  });
  await audit.close();
  const after = await readAudit(broker.url);
  const outcomes = after.flatMap((each) => (each.kind === 'outcome' ? [each.outcome] : []));
  assert.deepEqual(outcomes, ['no_worker'], JSON.stringify(records));
  assert.equal(after.filter(({ kind }) => kind === 'intent').length, 1);
});

test('audit - an intent that reaches the stream after its call was refused is closed once', async () => {
  verifies('audit:two-phases', 'audit:fail-closed');
  await using open = await recording();
  const { audit, broker } = open;
  await freeze(broker);
  const { request, call } = asked();
  await assert.rejects(
    audit.follow(
      request,
      (_call, { beforeGo = Promise.resolve() }) => beforeGo.then(() => resultOf({ content: [] })),
      async (dispatch) => {
        await dispatch(call, { signal: request.signal, onNotification: request.onNotification });
        throw new Error('not reached');
      },
    ),
    // On a slow machine the connection may be given up before.
    (error) =>
      error instanceof GatewayError && /^(audit|broker)_unavailable$/.test(error.reason) && error.executed === 'no',
  );
  broker.signal('SIGCONT');
  const outcome = await until('it is closed', async () =>
    (await readAudit(broker.url)).find(({ kind }) => kind === 'outcome'),
  );
  assert.ok(outcome.kind === 'outcome');
  assert.deepEqual([outcome.call, outcome.outcome, outcome.executed], [request.callId, 'audit_unavailable', 'no']);
  const gap = await until('the gap is told', async () =>
    (await readAudit(broker.url)).find((each) => each.kind === 'event' && each.event === 'audit_gap'),
  );
  assert.ok(gap.kind === 'event' && gap.detail['refused'] === 1, JSON.stringify(gap));
});
