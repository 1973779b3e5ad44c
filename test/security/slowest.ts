import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { callTool, textOf } from '../helpers/rpc.ts';
import type { Toolbus } from '../helpers/toolbus.ts';

/** What may come on top of the slowest answer that the machine gives in quiet, in milliseconds. */
const stallMs = 2_000;
const attempts = 3;

/**
 * Holds that calls of the tool `name`, which says back its arguments, are answered while `attack` goes on as they are in quiet. The machine may be
 * late once by chance; an event loop that is kept busy by the attack is late every time.
 */
export async function assertNoStall(
  toolbus: Toolbus,
  name: string,
  attack: (attempt: number) => Promise<unknown>,
): Promise<void> {
  const extras: number[] = [];
  while (extras.length < attempts && extras.every((extra) => extra >= stallMs)) {
    const quiet = await slowest(toolbus, name, delay(2_000));
    extras.push((await slowest(toolbus, name, attack(extras.length))) - quiet);
  }
  assert.ok(
    extras.some((extra) => extra < stallMs),
    `the slowest answer took ${extras.map(Math.round).join(', ')} ms more`,
  );
}

/** Milliseconds of the slowest of the calls that are made one after another while `busy` goes on, and at least for a second. */
async function slowest({ ready: { mcp, key } }: Toolbus, name: string, busy: Promise<unknown>): Promise<number> {
  let over = false;
  const ended = Promise.all([busy, delay(1_000)]).finally(() => {
    over = true;
  });
  ended.catch(() => undefined);
  let worst = 0;
  for (let n = 0; !over; n += 1) {
    const begun = performance.now();
    const answer = await callTool(mcp, name, { n }, { key, signal: AbortSignal.timeout(60_000) });
    worst = Math.max(worst, performance.now() - begun);
    assert.equal(textOf(answer), JSON.stringify({ n }));
    await delay(10);
  }
  await ended;
  return worst;
}
