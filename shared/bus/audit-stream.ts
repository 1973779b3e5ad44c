import { token } from './subjects.ts';

/** Names of the two streams of a tenant's audit. */
export interface AuditStreamNames {
  readonly records: string;
  readonly checkpoints: string;
}

export function auditStreamNames(tenant: string): AuditStreamNames {
  const suffix = token(tenant);
  return { records: `TOOLBUS_AUDIT_${suffix}`, checkpoints: `TOOLBUS_CHECKPOINTS_${suffix}` };
}
