import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startFixture } from '../helpers/fixture.ts';
import { verifies } from '../requirements.ts';
import { type Grid, startGrid, upstreams } from './cells.ts';
import { type Requirements, runConformance, scoredScenarios } from './run.ts';

/** Scored scenarios that may fail, by name. It is empty, and a row may only ever be taken away. */
const expectedFailures: readonly string[] = [];

const fixturesThemselves = [
  { fixture: 'conformance-v2', requirements: '2026-07-28' },
  { fixture: 'conformance-v2', requirements: '2025-11-25' },
  { fixture: 'conformance-v1', requirements: '2025-11-25' },
] as const;

for (const { fixture, requirements } of fixturesThemselves) {
  test(`conformance ${requirements} - ${fixture} itself passes every scored scenario`, async () => {
    await using server = await startFixture(fixture);
    await assertConforms(server.url.replace('127.0.0.1', 'localhost'), requirements);
  });
}

let grid: Grid;
before(async () => {
  grid = await startGrid(upstreams);
});
after(() => grid?.[Symbol.asyncDispose]());

for (const requirements of ['2026-07-28', '2025-11-25'] as const) {
  for (const upstream of upstreams) {
    test(`conformance ${requirements} - a ${upstream.name} server passes every scored scenario through two ingresses`, async () => {
      verifies(requirements === '2026-07-28' ? 'conformance:modern' : 'conformance:legacy', 'conformance:no-affinity');
      const counts = [...grid.proxy.counts];
      await assertConforms(grid.endpoint(upstream), requirements);
      const asked = grid.proxy.counts.map((count, at) => count - (counts[at] ?? 0));
      assert.ok(
        asked.every((count) => count > 10),
        `both ingresses were asked: ${asked.join(', ')}`,
      );
    });
  }
}

async function assertConforms(url: string, requirements: Requirements): Promise<void> {
  const { scenarios, exitCode } = await runConformance(url, requirements);
  const scored = scenarios.filter((scenario) => scenario.scored);
  const failed = scored.filter((scenario) => scenario.failed > 0);
  assert.deepEqual(
    failed.map(({ name }) => name),
    expectedFailures,
    failed.flatMap(({ failures }) => failures).join('\n'),
  );
  assert.equal(scored.length, scoredScenarios[requirements], 'number of scored scenarios');
  assert.equal(exitCode, 0);
}
