import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { busLimits } from '../../shared/bus/limits.ts';
import { type Offered, startFakeWorker } from '../chaos/fake-worker.ts';
import { openRig } from '../chaos/rig.ts';
import { assertPromisesKept, tookMs } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';

const instance = 'fakeworker';
const result = { k: 'result', resultType: 'complete', upstreamMs: 1 } as const;
const bodyFor = (id: string) => JSON.stringify({ content: [{ type: 'text', text: `${id} by fake` }] });

test('fake worker - frames that are double, unknown, broken, too early or too late do no harm', async () => {
  await using rig = await openRig({ workers: 0, timeoutMs: 2_500 });
  let behave: (offered: Offered) => Promise<void> = async () => undefined;
  await using worker = await startFakeWorker(rig.broker.url, 'scripted', (offered) => void behave(offered));
  await until('the ingress knows it', async () => (await rig.instances()).length === 1);
  const text = async () => (await rig.call()).text.replace(/^n\d+ /, '');

  behave = async ({ id, go, send }) => {
    send({ k: 'accepted', instance, challenge: '1' });
    send({ k: 'accepted', instance, challenge: '1' });
    await go;
    send(result, bodyFor(id));
    send(result, bodyFor('another'));
    send({ k: 'failed', reason: 'no_worker', message: '', executed: 'no', upstreamMs: 0 });
  };
  assert.equal(await text(), 'by fake', 'the first answer counts');

  behave = async ({ id, go, send, sendRaw }) => {
    sendRaw('no frame');
    sendRaw('{"k":"accepted"');
    sendRaw('[]\n');
    send({ k: 'accepted', instance, challenge: '1' });
    await go;
    sendRaw('{"k":"from the future"}\n');
    send({ k: 'note', method: 'notifications/progress' }, 'no JSON');
    send({ k: 'busy', instance, why: 'full' });
    send(result, bodyFor(id));
  };
  assert.equal(await text(), 'by fake', 'what cannot be read is dropped');

  behave = async ({ id, go, send }) => {
    send(result, bodyFor('too early'));
    send({ k: 'accepted', instance, challenge: '1' });
    await go;
    send(result, bodyFor(id));
  };
  assert.equal(await text(), 'by fake', 'nobody answers a call that no process was told to run');

  behave = async ({ go, send, sendRaw }) => {
    send({ k: 'accepted', instance, challenge: '1' });
    await go;
    sendRaw('{"k":"failed","reason":"__proto__","message":"?","executed":"unknown","upstreamMs":0}\n');
  };
  assert.equal((await rig.call()).reason, 'upstream_lost', 'a reason that does not exist');

  behave = async ({ id, go, send }) => {
    send({ k: 'accepted', instance, challenge: '1' });
    await go;
    const beat = setInterval(() => send({ k: 'note', method: 'notifications/message' }, '{}'), 400);
    await delay(700);
    clearInterval(beat);
    // Beyond the deadline and its grace, and short of the silence after which a process counts as lost.
    await delay(2_800);
    send(result, bodyFor(id));
  };
  const late = await rig.call();
  assert.equal(late.reason, 'upstream_timeout');
  assert.ok(tookMs(late) < 6_000);
  await until('the worker is told', () => worker.controls.includes('cancel'));

  behave = async ({ send }) => {
    // Longer than any offer waits, also where workers were seen to be slow.
    await delay(busLimits.mostAcceptMs + 500);
    send({ k: 'accepted', instance, challenge: '1' });
  };
  const silent = await rig.call();
  assert.equal(silent.executed, 'no');
  await until('who accepts too late gives the slot back', () => worker.controls.includes('release'));

  assert.equal((await fetch(`${rig.ingress.ready.admin}/livez`)).status, 200);
  await assertPromisesKept(
    { ...rig, violations: () => rig.violations().filter((each) => !/with 0 effects/.test(each)) },
    0,
  );
});
