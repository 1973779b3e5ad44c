import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { callTool, modern } from '../helpers/rpc.ts';
import { startToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { verifies } from '../requirements.ts';
import { echoTool, hostileServer } from './hostile.ts';
import { assertNoStall } from './slowest.ts';

const largestCount = 3;

/** `levels` definitions of which each applies the one below twice: 2^levels subschemas out of a few lines. */
function doubling(levels: number, keyword = 'allOf'): object {
  const $defs: Record<string, object> = { d0: { type: 'string' } };
  for (let at = 1; at <= levels; at += 1)
    $defs[`d${at}`] = { [keyword]: [{ $ref: `#/$defs/d${at - 1}` }, { $ref: `#/$defs/d${at - 1}` }] };
  return { type: 'object', properties: { a: { $ref: `#/$defs/d${levels}` } }, $defs };
}

/** The most of everything that is let through to the compiler. */
function largest(seed: number): object {
  const properties: Record<string, object> = {};
  for (let at = 0; at < 900; at += 1)
    properties[`p${seed}_${at}`] = { type: 'string', pattern: `^(a${seed}|b${at})+$` };
  return { type: 'object', properties };
}

/** As text: nothing in this process would write it. */
function nested(depth: number): string {
  return `${'{"type":"object","properties":{"a":'.repeat(depth)}{}${'}}'.repeat(depth)}`;
}

test('validation - others are answered as before while schema bombs are read and compiled (U11)', async () => {
  verifies('validation:schema-bombs');
  const bombs = {
    twice_28: doubling(28),
    any_28: doubling(28, 'anyOf'),
    one_64: doubling(64, 'oneOf'),
    ...Object.fromEntries(Array.from({ length: largestCount }, (_, seed) => [`largest_${seed}`, largest(seed)])),
  };
  using calm = hostileServer({ tools: [echoTool('echo')] });
  const texts = Object.entries(bombs).map(([name, inputSchema]) => JSON.stringify(echoTool(name, { inputSchema })));
  texts.push(`{"name":"deep","inputSchema":${nested(40)}}`);
  using hostile = hostileServer({ tools: `[${texts.join()}]` });
  using abyss = hostileServer({ tools: `[{"name":"deep","inputSchema":${nested(6_000)}}]` });
  await using toolbus = await startToolbus({ config: { servers: { calm: calm.server } } });
  const { mcp, key } = toolbus.ready;
  const listed = async (): Promise<string[]> => {
    const { response } = await modern(mcp, 'tools/list', {}, { key });
    return (response?.result?.['tools'] as { name: string }[]).map(({ name }) => name);
  };
  const attack = async (name: string): Promise<void> => {
    toolbus.writeConfig({ servers: { calm: calm.server, [name]: hostile.server, abyss: abyss.server } });
    const tools = await until(
      'the hostile server is listed',
      async () => {
        const found = (await listed()).filter((tool) => tool.startsWith(`${name}__`));
        // The list is large, and asking for it is not what is measured.
        if (found.length === 0) await delay(300);
        return found.length > 0 && found;
      },
      60_000,
    );
    // Only what the caps let through is there. Its first call is what compiles it.
    assert.deepEqual(
      tools.filter((tool) => !tool.includes('largest')),
      [],
    );
    assert.equal(tools.length, largestCount);
    await Promise.all(tools.map((tool) => callTool(mcp, tool, { p0_0: '!' }, { key })));
  };

  // An event loop that applied 2^64 subschemas would answer nobody any more.
  await assertNoStall(toolbus, 'calm__echo', (attempt) => attack(`attack-${attempt}`));
});
