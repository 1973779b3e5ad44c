import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fixture, startFixture } from '../helpers/fixture.ts';
import { startNats } from '../helpers/nats.ts';
import { startRoundRobinProxy } from '../helpers/round-robin-proxy.ts';
import { startIngress, startToolbus, startWorker } from '../helpers/toolbus.ts';
import { verifies } from '../requirements.ts';
import { type Requirements, runConformance, scoredScenarios } from './run.ts';

/** Scored scenarios that may fail, by name. It is empty, and a row may only ever be taken away. */
const expectedFailures: readonly string[] = [];

const rows = [
  { fixture: 'conformance-v2', requirements: '2026-07-28' },
  { fixture: 'conformance-v2', requirements: '2025-11-25' },
  { fixture: 'conformance-v1', requirements: '2025-11-25' },
] as const;

for (const { fixture, requirements } of rows) {
  test(`conformance ${requirements} - ${fixture} itself passes every scored scenario`, async () => {
    await using server = await startFixture(fixture);
    await assertConforms(local(server.url), requirements);
  });

  test(`conformance ${requirements} - ${fixture} passes every scored scenario through the gateway`, async () => {
    verifies(requirements === '2026-07-28' ? 'conformance:modern' : 'conformance:legacy');
    await using server = await startFixture(fixture);
    await using toolbus = await startToolbus({ config: configFor(server) });
    await assertConforms(`${local(toolbus.ready.mcp)}/fixture`, requirements);
  });
}

test('conformance 2026-07-28 - two ingresses behind a round-robin proxy pass every scored scenario', async () => {
  verifies('conformance:no-affinity');
  await using server = await startFixture('conformance-v2');
  const config = configFor(server);
  await using nats = await startNats();
  await using _worker = await startWorker('fixture', nats.url, { config });
  await using first = await startIngress(nats.url, { config });
  await using second = await startIngress(nats.url, { config });
  await using proxy = await startRoundRobinProxy([first.ready.mcp, second.ready.mcp].map((url) => new URL(url).origin));
  await assertConforms(`${proxy.origin}/mcp/fixture`, '2026-07-28');
  assert.ok(
    proxy.counts.every((count) => count > 10),
    `both ingresses were asked: ${proxy.counts.join(', ')}`,
  );
});

/** The suite sends no credentials, so the gateway asks for none; both sit on loopback. */
function configFor(server: Fixture): object {
  return {
    servers: { fixture: { url: server.url } },
    auth: { mode: 'none' },
    cluster: { secret: 'conformance-conformance-conformance' },
  };
}

/** The suite forges Host and Origin and therefore wants a URL that names localhost. */
function local(url: string): string {
  return url.replace('127.0.0.1', 'localhost');
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
