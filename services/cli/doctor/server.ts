import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerConfig } from '../../../shared/config/schema.ts';
import { exitCode } from '../../../shared/errors.ts';
import type { InstanceStatus } from '../../../shared/mcp/manifest.ts';
import { blockText } from '../../ingress/blocks/blocks.ts';
import type { Core } from '../../ingress/core.ts';
import type { Step } from './step.ts';

/** A worker that starts gets this long to say how its server is, in milliseconds. */
const settleMs = 10_000;
/** Workers tell of themselves every second; one whose machine is busy does so later. */
const silentMs = 4_000;
const pollMs = 100;
const maxNamed = 5;

/** Walks worker, upstream and discovery of one server; ends with the step that is broken. */
export async function* examineServer(name: string, config: ServerConfig | undefined, core: Core): AsyncGenerator<Step> {
  const found = (step: Omit<Step, 'server'>): Step => ({ ...step, server: name });
  if (config?.disabled === true) {
    yield found({ step: 'worker', status: 'skipped', detail: 'disabled in the configuration' });
    return;
  }
  const instances = await settledInstances(name, core);
  if (instances.length === 0) {
    yield found({
      step: 'worker',
      status: 'failed',
      detail: 'no worker of it is on the bus',
      hint: `start one: toolbus worker ${name}; \`toolbus up\` starts one for each server of its configuration`,
      code: exitCode.unreachable,
    });
    return;
  }
  const [first] = instances;
  const where = [...new Set(instances.map(({ host, pid }) => `${host} (pid ${pid})`))].join(', ');
  yield found({ step: 'worker', status: 'ok', detail: `${count(instances.length, 'instance')} on ${where}` });

  const upstream = upstreamOf(instances);
  yield found(upstream);
  if (upstream.status === 'failed') return;
  yield found(discoveryOf(name, core, first?.transport));
}

async function settledInstances(name: string, { catalog }: Core): Promise<readonly InstanceStatus[]> {
  const beganAt = performance.now();
  for (;;) {
    const instances = catalog.instances(name);
    const waited = performance.now() - beganAt;
    const isSettled = instances.some(({ state }) => state !== 'starting');
    if (isSettled || waited > settleMs || (instances.length === 0 && waited > silentMs)) return instances;
    await sleep(pollMs);
  }
}

function upstreamOf(instances: readonly InstanceStatus[]): Step {
  const ready = instances.filter(({ state }) => state === 'ready');
  const working = ready.filter(({ breaker }) => breaker !== 'open');
  const [first] = working;
  if (first !== undefined) {
    const spoken = `${first.transport} ${first.protocolVersion ?? ''}`.trim();
    const of = working.length === instances.length ? '' : `; ${working.length} of ${instances.length} instances work`;
    return { step: 'upstream', status: 'ok', detail: `${spoken}${of}` };
  }
  const [open] = ready;
  if (open !== undefined) {
    const last = open.lastError === undefined ? '' : `; last: ${open.lastError}`;
    return {
      step: 'upstream',
      status: 'failed',
      detail: `it failed so often that its circuit breaker is open${last}`,
      hint: open.hint ?? 'it is tried again by itself; `toolbus servers` shows when',
      code: exitCode.unreachable,
    };
  }
  const failed = instances.find(({ state }) => state === 'failed');
  const starting = `it is still starting after ${settleMs / 1000} s`;
  const why = failed === undefined ? starting : (failed.lastError ?? 'the server does not run');
  return {
    step: 'upstream',
    status: 'failed',
    detail: why,
    hint: failed?.hint ?? 'run its command by hand; the log of the worker has its last words',
    code: exitCode.unreachable,
  };
}

function discoveryOf(name: string, { catalog, blocks }: Core, transport: string | undefined): Step {
  const block = blocks.server(name);
  if (block !== undefined) {
    return {
      step: 'discovery',
      status: 'failed',
      detail: `it is hidden from all agents: ${blockText(block)}`,
      hint: `toolbus unblock server ${name}`,
      code: exitCode.toolFailed,
    };
  }
  const manifest = catalog.manifest(name);
  if (manifest === undefined) {
    const hint = transport === 'stdio' ? 'does it answer tools/list?' : 'does its URL answer tools/list?';
    return {
      step: 'discovery',
      status: 'failed',
      detail: 'it has not told what it offers',
      hint,
      code: exitCode.toolFailed,
    };
  }
  const rows = catalog.describe({ server: name, all: true });
  const kept = rows.filter(({ status }) => status === 'hidden' || status === 'quarantined');
  const offered = rows.length - kept.length;
  const others = manifest.prompts.length + manifest.resources.length + manifest.resourceTemplates.length;
  const reasons = kept
    .slice(0, maxNamed)
    .map(({ name: tool, status, reason }) => `${tool} is ${status}: ${reason ?? ''}`);
  const more = kept.length > maxNamed ? [`and ${kept.length - maxNamed} more`] : [];
  if (offered === 0 && others === 0) {
    return {
      step: 'discovery',
      status: 'failed',
      detail:
        rows.length === 0 ? 'the server offers nothing at all' : ['no tool is left', ...reasons, ...more].join('; '),
      hint: '`toolbus tools ls --all` lists them with the reasons',
      code: exitCode.toolFailed,
    };
  }
  return { step: 'discovery', status: 'ok', detail: [`${count(offered, 'tool')}`, ...reasons, ...more].join('; ') };
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
