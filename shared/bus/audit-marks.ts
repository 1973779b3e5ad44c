import { type Buckets, bucketPrefixOf } from './buckets.ts';
import { readJsonObject } from './json-bytes.ts';

const key = 'audit_stream';
const probeKey = 'audit_probe';

/** Remembers in the bucket `cluster` when the audit stream was made, so that its disappearance is noticed by every ingress. */
export interface AuditMarks {
  get(): Promise<AuditMark | undefined>;
  put(mark: AuditMark): Promise<void>;
  /** Notes it where nothing is noted; resolves with what is noted then, which is another process' where that was first. */
  first(mark: AuditMark): Promise<AuditMark>;
}

interface AuditMark {
  readonly created: string;
}

export function auditMarks({ cluster }: Pick<Buckets, 'cluster'>): AuditMarks {
  const get: AuditMarks['get'] = async () => {
    const entry = await cluster.get(key);
    const created = entry?.operation === 'PUT' ? readJsonObject(entry.value)?.['created'] : undefined;
    return typeof created === 'string' ? { created } : undefined;
  };
  return {
    get,
    async put({ created }) {
      await cluster.put(key, JSON.stringify({ created }));
    },
    async first(mark) {
      try {
        await cluster.create(key, JSON.stringify({ created: mark.created }));
        return mark;
      } catch (error) {
        const noted = await get();
        if (noted === undefined) throw error;
        return noted;
      }
    },
  };
}

/** A key of that bucket that is written to find out whether NATS stores at all. */
export function auditProbeSubject(tenant: string): string {
  return `$KV.${bucketPrefixOf(tenant)}_cluster.${probeKey}`;
}
