import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditRecord } from '../../shared/audit/record.ts';
import { type CommandResult, runToolbus } from '../helpers/toolbus.ts';
import { until } from '../helpers/until.ts';
import { judgeAudit, readAudit } from './audit-oracle.ts';
import type { CallRecord } from './oracle.ts';
import type { Rig, RigBroker } from './rig.ts';

/** `toolbus audit COMMAND` on the rig's NATS. */
export const auditCommand = (rig: Rig<RigBroker>, ...args: string[]): Promise<CommandResult> =>
  runToolbus(['audit', ...args, '--config', rig.ingress.configFile, '--nats', rig.broker.url], {
    cwd: rig.ingress.dir,
    timeoutMs: 60_000,
  });

export const verify = (rig: Rig<RigBroker>, ...args: string[]): Promise<CommandResult> =>
  auditCommand(rig, 'verify', ...args);

/** What /readyz says of the audit. */
export async function readiness(rig: Rig<RigBroker>): Promise<{ status: number; audit: string }> {
  const response = await fetch(`${rig.ingress.ready.admin}/readyz`);
  const { checks } = (await response.json()) as { checks: ReadonlyArray<{ name: string; reason: string }> };
  return { status: response.status, audit: checks.find(({ name }) => name === 'audit')?.reason ?? '' };
}

/** One figure of /metrics. Throws where it is not there. */
export async function metric(rig: Rig<RigBroker>, name: string): Promise<number> {
  const text = await (await fetch(`${rig.ingress.ready.admin}/metrics`)).text();
  const value = text.split('\n').find((line) => line.startsWith(`${name} `));
  assert.ok(value !== undefined, `no metric ${name}`);
  return Number(value.slice(name.length + 1));
}

export const idsOf = (audit: readonly AuditRecord[]): ReadonlySet<string> => new Set(audit.map(({ id }) => id));

/** Waits until what was spooled is in the stream, and no oracle has anything to say. Returns the audit. */
export async function assertRecorded(rig: Rig<RigBroker>): Promise<AuditRecord[]> {
  await until('the spool is shipped', async () => (await metric(rig, 'toolbus_audit_spooled')) === 0, 30_000);
  const audit = await readAudit(rig.broker.url);
  assert.deepEqual(judgeAudit(audit, rig.records, rig.journal()), []);
  assert.deepEqual(rig.violations(), []);
  return audit;
}

/** The smallest stream, whose records hold even large arguments. */
export const smallStream = { maxBytes: 1_048_576, inlineBytes: 131_072 };

/** Makes calls until the stream has no room for the smallest record; the last refusal. */
export async function fillStream(rig: Rig<RigBroker>): Promise<CallRecord> {
  for (const padding of [60_000, 6_000, 600]) {
    const isFull = async () => (await rig.call({ padding: 'x'.repeat(padding) })).outcome === 'error';
    await until(`no room for ${padding} bytes`, isFull, 40_000);
  }
  const noRoom = async () => {
    const record = await rig.call({});
    if (record.outcome !== 'error') return undefined;
    await delay(1_000);
    return (await rig.call({})).outcome === 'error' ? record : undefined;
  };
  return until('no room at all', noRoom, 40_000);
}
