import { type Buckets, bucketPrefixOf } from './buckets.ts';
import { readJsonObject } from './json-bytes.ts';

const key = 'audit_stream';
const probeKey = 'audit_probe';

/** Remembers in the bucket `cluster` when the audit stream was made, so that its disappearance is noticed by every ingress. */
export interface AuditMarks {
  get(): Promise<{ readonly created: string } | undefined>;
  put(mark: { readonly created: string }): Promise<void>;
}

export function auditMarks({ cluster }: Pick<Buckets, 'cluster'>): AuditMarks {
  return {
    async get() {
      const entry = await cluster.get(key);
      const created = entry?.operation === 'PUT' ? readJsonObject(entry.value)?.['created'] : undefined;
      return typeof created === 'string' ? { created } : undefined;
    },
    async put({ created }) {
      await cluster.put(key, JSON.stringify({ created }));
    },
  };
}

/** A key of that bucket that is written to find out whether NATS stores at all. */
export function auditProbeSubject(tenant: string): string {
  return `$KV.${bucketPrefixOf(tenant)}_cluster.${probeKey}`;
}
