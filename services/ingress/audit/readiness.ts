import type { AuditStatus } from './audit.ts';
import { alarmShare } from './stream-keeper.ts';

/** What /readyz says of the audit. Where calls go on without records, it is ready. */
export function auditReadiness(status: AuditStatus): { readonly ok: boolean; readonly reason: string } {
  const { state, required, usage, spooled } = status;
  const recording = state === 'recording';
  const parts = [recording ? 'recording' : (status.reason ?? state)];
  if (usage !== undefined && usage.bytes >= usage.maxBytes * alarmShare) {
    parts.push(`the stream is ${Math.floor((usage.bytes / usage.maxBytes) * 100)} % full`);
  }
  if (spooled > 0) parts.push(`${spooled} records wait on the disk`);
  if (status.checkpointFailures > 0) parts.push('checkpoints fail');
  return { ok: recording || !required, reason: parts.join('; ') };
}
