import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../test/helpers/until.ts';
import { verifies } from '../../test/requirements.ts';
import type { Call } from '../mcp/call.ts';
import { callKeyOf, proveCall } from './call-proof.ts';
import { createCaller } from './caller.ts';
import { decodeMessage, encodeMessage, type Frame } from './frames.ts';
import { startTestBroker, type TestBroker } from './testing/broker.ts';
import { callOf, openCallPair, silentLog, testCallKey, testSubjects } from './testing/call-pair.ts';

let broker: TestBroker;
before(async () => {
  broker = await startTestBroker();
});
after(() => broker.close());

const answer = async () => ({ kind: 'result', resultType: 'complete', result: {} }) as const;
const options = { signal: new AbortController().signal, onNotification: () => undefined };

test('signed calls - an ingress with another secret is told so, and nothing runs', async (t) => {
  verifies('bus:signed-calls');
  const ran: Call[] = [];
  const pair = await openCallPair(t, broker.url, {
    run: (call) => {
      ran.push(call);
      return answer();
    },
  });
  const nc = pair.ingressConnection;
  const foreign = createCaller({
    nc,
    subjects: testSubjects,
    ingress: 'foreign',
    log: silentLog,
    callKeyOf: () => callKeyOf('another secret', 'srv'),
  });
  t.after(() => foreign.close());
  await assert.rejects(foreign.attempt(callOf('echo'), options), { reason: 'no_worker', executed: 'no' });
  assert.equal(ran.length, 0);
  assert.equal(pair.callee.inFlight, 0, 'its slot is free again');
  assert.equal((await pair.attempt(callOf('echo'))).kind, 'answered');
  assert.equal(
    (await pair.attempt(callOf('echo', { large: 'x'.repeat(2_000_000) }))).kind,
    'answered',
    'parts are covered too',
  );
});

test('signed calls - a missing, foreign, overheard or repeated go starts nothing', async (t) => {
  verifies('bus:signed-calls');
  const ran: string[] = [];
  const pair = await openCallPair(t, broker.url, {
    run: (call) => {
      ran.push(call.principal.id);
      return answer();
    },
  });
  const nc = pair.ingressConnection;
  const frames: Frame[] = [];
  nc.subscribe(testSubjects.replies('attacker'), {
    callback: (_error, message) => {
      const head = decodeMessage(message.data)?.head;
      if (head !== undefined) frames.push(head as Frame);
    },
  });
  // What somebody who may publish on the bus can do: send any message, and repeat those that passed by.
  const overheard: Uint8Array[] = [];
  nc.subscribe(testSubjects.instanceControl('srv', 'w1'), {
    callback: (_error, { data }) => void overheard.push(data),
  });
  assert.equal((await pair.attempt(callOf('echo'))).kind, 'answered');
  await until('the true go was overheard', () => overheard.length === 1);
  assert.equal(ran.length, 1);

  const { params, ...head } = callOf('echo');
  const forged = { ...head, principal: { id: 'admin', method: 'key' } as const };
  const offer = (key: string) =>
    encodeMessage({ k: 'offer', key, ingress: 'attacker', call: forged }, JSON.stringify(params));
  const control = (message: Uint8Array) => nc.publish(testSubjects.instanceControl('srv', 'w1'), message);
  const accepted = async (key: string): Promise<string> => {
    const before = frames.length;
    nc.publish(testSubjects.instanceCall('srv', 'w1'), offer(key), { reply: testSubjects.reply('attacker', key) });
    await until('it is accepted', () => frames.length > before);
    const frame = frames.at(-1);
    return frame?.k === 'accepted' ? frame.challenge : '';
  };
  const go = (key: string, proof: string) => control(encodeMessage({ k: 'go', ingress: 'attacker', key, proof }));
  const last = () => frames.at(-1);

  const signed = (key: string, challenge: string, bytes: Uint8Array, secret = testCallKey) =>
    proveCall(secret, { ingress: 'attacker', key, instance: 'w1', challenge }, bytes, []);
  const tries: readonly (readonly [string, (key: string, challenge: string) => string])[] = [
    ['no proof', () => ''],
    ['of another secret', (key, challenge) => signed(key, challenge, offer(key), callKeyOf('guessed', 'srv'))],
    [
      'of another server',
      (key, challenge) => signed(key, challenge, offer(key), callKeyOf('a secret of this test', 'other')),
    ],
    ['of another challenge', (key, challenge) => signed(key, `${challenge}0`, offer(key))],
    ['of another offer', (key, challenge) => signed(key, challenge, Buffer.from('{}\n{}'))],
  ];
  for (const [index, [name, proofOf]] of tries.entries()) {
    const key = `k${index}`;
    const challenge = await accepted(key);
    const before = frames.length;
    go(key, proofOf(key, challenge));
    await until(`${name} is refused`, () => frames.length > before);
    const frame = last();
    assert.equal(frame?.k === 'failed' && frame.executed, 'no', name);
  }
  for (const message of overheard) control(message);
  await nc.flush();
  assert.deepEqual(ran, ['tester'], 'only the true call has run');
});
