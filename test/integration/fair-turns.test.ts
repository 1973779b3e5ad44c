import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { ask, startCores } from '../helpers/cores.ts';
import { verifies } from '../requirements.ts';

const slots = 4;

test('fair turns - a call through one ingress is next, whatever another agent has waiting there and at others', async () => {
  verifies('limits:fair-turns-ingresses');
  await using rig = await startCores(3, {
    agents: { noisy: {}, calm: {} },
    server: { concurrency: slots, timeoutMs: 60_000 },
  });
  const over = new AbortController();
  // One listener for each call that is on its way.
  setMaxListeners(0, over.signal);
  let noisyEnds = 0;
  const noise = Array.from({ length: 240 }, async (_, n) => {
    const core = rig.cores[n % rig.cores.length] ?? rig.first;
    if ((await ask(core, { agent: 'noisy', delayMs: 400 + ((n * 271) % 800), signal: over.signal })) === 'ok')
      noisyEnds += 1;
  });
  while (noisyEnds < slots) await ask(rig.first, { agent: 'calm' });
  const ahead: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    const before = noisyEnds;
    assert.equal(await ask(rig.first, { agent: 'calm', delayMs: 1 }), 'ok');
    ahead.push(noisyEnds - before);
  }
  over.abort();
  await Promise.all(noise);
  // One slot came free for it; what ended besides in the same moment went on.
  ahead.sort((a, b) => a - b);
  assert.ok((ahead[4] ?? slots) <= 2, `calls of the other that ended before each call: ${ahead.join()}`);
});
