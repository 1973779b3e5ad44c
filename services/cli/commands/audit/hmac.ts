import { auditKeys } from '../../../../shared/audit/keys.ts';
import { hmacLeaf } from '../../../../shared/audit/redact.ts';
import { openClusterBucket } from '../../../../shared/bus/buckets.ts';
import { knownClusterSecret } from '../../../../shared/bus/cluster-secret.ts';
import { exitCode, OperatorError } from '../../../../shared/errors.ts';
import type { JsonValue } from '../../../../shared/mcp/json.ts';
import type { CommonFlags } from '../../flags.ts';
import { withAudit } from './with-audit.ts';

/** `toolbus audit hmac VALUE`: how `audit.arguments: hmac` records that value, to look for it in the audit. */
export async function runAuditHmac(value: string, flags: CommonFlags): Promise<number> {
  const secret = await withAudit(flags, async ({ nc, config }) => {
    const bucket = await openClusterBucket(nc, config.nats.tenant);
    return knownClusterSecret(bucket, config.cluster.secret);
  });
  if (secret === undefined) {
    throw new OperatorError(exitCode.usage, 'the cluster secret is not in NATS, and values were recorded with it', {
      hint: 'set cluster.secret to what the ingresses have',
    });
  }
  const hmac = hmacLeaf(auditKeys(secret).hmac, leafOf(value));
  process.stdout.write(flags.json === true ? `${JSON.stringify({ hmac })}\n` : `${hmac}\n`);
  return exitCode.ok;
}

/** Numbers, true, false and null as JSON has them; everything else is text. */
function leafOf(value: string): JsonValue {
  try {
    const parsed = JSON.parse(value) as JsonValue;
    return typeof parsed === 'object' && parsed !== null ? value : parsed;
  } catch {
    return value;
  }
}
