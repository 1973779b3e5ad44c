import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { assertRecorded, idsOf, verify } from '../chaos/audit-checks.ts';
import { readAudit } from '../chaos/audit-oracle.ts';
import { startClusterBroker } from '../chaos/cluster-broker.ts';
import { tally } from '../chaos/oracle.ts';
import { openRigOn } from '../chaos/rig.ts';
import { healed, load } from '../chaos/settle.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';

const streams = ['TOOLBUS_AUDIT_default', 'TOOLBUS_CHECKPOINTS_default'];
const [records = ''] = streams;

test('audit cluster - the death of the node that leads the stream loses no acknowledged record, twice', async (t) => {
  verifies('audit:survives-kills', 'audit:replicated');
  const cluster = await startClusterBroker();
  await using rig = await openRigOn(cluster, {
    workers: 2,
    timeoutMs: 15_000,
    audit: { checkpoints: { everyMs: 1_000 } },
  });
  await healed(rig, 30_000);
  for (const stream of streams) assert.equal((await cluster.group(stream)).replicas, 3);
  await load(rig, { agents: 8, calls: 60 });
  const before = idsOf(await readAudit(rig.broker.url));
  let over = false;
  const running = load(rig, { agents: 8, over: () => over });
  for (let kills = 0; kills < 2; kills += 1) {
    await delay(500);
    const killedAt = performance.now();
    const leader = await cluster.killLeader(records);
    await healed(rig, 60_000);
    t.diagnostic(`calls again ${Math.round(performance.now() - killedAt)} ms after the end of ${leader}`);
    await until(
      'another node leads, and the killed one has all of it again',
      async () => {
        const group = await cluster.group(records);
        return group.leader !== undefined && group.current === 2 && group;
      },
      60_000,
    );
  }
  await delay(1_000);
  over = true;
  const made = await running;
  t.diagnostic(`calls under load: ${JSON.stringify(tally(made))}`);
  await healed(rig, 30_000);
  const after = idsOf(await assertRecorded(rig));
  assert.deepEqual(
    [...before].filter((id) => !after.has(id)),
    [],
  );
  const verdict = await verify(rig);
  assert.equal(verdict.code, 0, verdict.stdout);
});
