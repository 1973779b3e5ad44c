import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifies } from '../requirements.ts';
import { runSuite } from './suite.ts';

/** Scenarios in which the suite is the server: what the gateway sends it for an agent must be what a client sends. */
const scenarios = [
  ['2026-07-28', 'tools_call', 2],
  ['2026-07-28', 'request-metadata', 5],
  ['2026-07-28', 'http-standard-headers', 9],
  ['2026-07-28', 'http-custom-headers', 18],
  ['2026-07-28', 'http-invalid-tool-headers', 12],
  ['2026-07-28', 'sep-2322-client-request-state', 5],
  ['2026-07-28', 'json-schema-2020-12-preservation', 1],
  ['2025-11-25', 'initialize', 1],
  ['2025-11-25', 'tools_call', 1],
  ['2025-11-25', 'elicitation-sep1034-client-defaults', 5],
  ['2025-11-25', 'sse-retry', 3],
  ['2026-07-28', 'json-schema-ref-no-deref', 1],
] as const;

const agent = fileURLToPath(new URL('../fixtures/conformance-agent.ts', import.meta.url));

for (const [version, scenario, checks] of scenarios) {
  test(`conformance ${version} - towards the suite's server the gateway is a client: ${scenario}`, async () => {
    verifies('conformance:client');
    const command = `"${process.execPath}" --import "${import.meta.resolve('tsx')}" "${agent}"`;
    const args = ['client', '--command', command, '--scenario', scenario, '--spec-version', version];
    const { code, text } = await runSuite([...args, '--timeout', '60000'], 90_000);
    const passed = Number(/Passed: (\d+)\/\d+, 0 failed/.exec(text)?.[1] ?? 0);
    assert.equal(code, 0, text.slice(-3000));
    assert.ok(passed >= checks, `${passed} checks passed, ${checks} expected:\n${text.slice(-3000)}`);
  });
}
