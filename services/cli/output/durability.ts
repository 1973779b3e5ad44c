import type { Config } from '../../../shared/config/schema.ts';

/** Which of the levels of docs/audit.md records of this configuration have, and what that means. */
export function auditDurability({ audit }: Config, embedded: boolean): string {
  if (embedded) {
    return audit.durability === 'always'
      ? 'level B: survives a power loss'
      : 'level A: survives the end of any process; a power loss may take the last 10 s';
  }
  if (audit.replicas === 1) return 'level A, or B where that NATS has sync_interval: always';
  return 'level C where that NATS is a cluster of three or more (D with sync_interval: always), else A (or B)';
}
